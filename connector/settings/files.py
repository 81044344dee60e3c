"""Files that settings name: those that hold the value of one setting, and what is meant by a relative path.

`redo.api_secret_file` of the settings file and CONNECTOR_REDO__API_SECRET_FILE of the environment both name the file
that holds `redo.api_secret`. Paths in the settings file are relative to it, paths in the environment to the working
folder.
"""

from __future__ import annotations

import os
from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from connector.model.errors import Problem
from connector.model.texts import decoded
from connector.settings.passwords import holds_password
from connector.settings.sources import DEFAULT_PATH, FILE_SUFFIX, PREFIX, STORE_VARIABLE, env_name, read_toml

_SUFFIX: Final = FILE_SUFFIX.lower()
_SQLITE: Final = "sqlite:///"
_STORE_KEYS: Final = ("api_secret", "base_url", "orders_url")
SECRETS: Final = ("redo.api_secret", "checkpoints.payload_keys", "status.token")
DSNS: Final = ("source.dsn", "source.read_dsn", "checkpoints.url")
"""Those that may hold a password."""


@dataclass(frozen=True, slots=True)
class _Named:
    """The file that holds the value of `key`, and the setting or variable that names it."""

    key: tuple[str, ...]
    where: str
    file: Path


def beside(values: dict[str, Any], folder: Path, defaults: Mapping[str, Mapping[str, str]]) -> None:
    """Make the paths of the settings file, and those that it leaves to the defaults, paths as seen from here."""
    if folder == Path():
        return
    for section, paths in defaults.items():
        table = values.setdefault(section, {})
        for name, default in paths.items() if isinstance(table, dict) else ():
            written = table.get(name, default)
            if isinstance(written, str):
                table[name] = _from_here(written, folder)


def _from_here(written: str, folder: Path) -> str:
    if "://" not in written:
        return str(folder / written)
    name = written.removeprefix(_SQLITE)
    relative = name not in (written, "") and not name.startswith("/")
    return f"{_SQLITE}{folder}/{name}" if relative else written


def add_files(
    values: dict[str, Any],
    folder: Path,
    environment: Mapping[str, str],
    known: Collection[str],
    unused: Collection[str] = (),
) -> Iterator[Problem]:
    """Put what files hold into the values. The environment's beat the settings file's; the variable itself beats both.
    Files of what is `unused` aren't read."""
    given = {name.upper() for name, value in environment.items() if value}
    for named in _in_settings(values, folder, known):
        table = _table(values, named.key)
        del table[named.key[-1] + _SUFFIX]
        name = env_name(".".join(named.key))
        if named.key[-1] in table:
            yield Problem("is given twice", f"keep one: {named.where}, or {'.'.join(named.key)}", named.where)
        elif not given & {name, name + FILE_SUFFIX} and not _skipped(named, unused):
            yield from _add(values, named)
    for named in _in_environment(environment, known):
        if not _skipped(named, unused):
            yield from _add(values, named)


def _skipped(named: _Named, unused: Collection[str]) -> bool:
    return ".".join(named.key) in unused or f"redo.{_of_store(named.key)}" in unused


def _add(values: dict[str, Any], named: _Named) -> Iterator[Problem]:
    try:
        text = decoded(named.file.read_bytes()).strip()
    except OSError as error:
        text, hint = "", f"check the path and its permissions: {named.file.absolute()}"
        yield Problem(f"names a file that can't be read: {error.strerror}", hint, named.where)
    except ValueError as error:
        text = ""
        yield Problem(f"names a file that {error}", f"save it as UTF-8: {named.file.absolute()}", named.where)
    else:
        if not text:
            yield Problem("names an empty file", f"write the value into {named.file}, and nothing else", named.where)
    # What is wrong with it was said: it doesn't count as not given.
    _table(values, named.key)[named.key[-1]] = text or "unread"


def _table(values: dict[str, Any], key: tuple[str, ...]) -> dict[str, Any]:
    for section in key[:-1]:
        values = values.setdefault(section, {})
    return values


def _in_settings(values: Mapping[str, Any], folder: Path, known: Collection[str]) -> list[_Named]:
    return [
        _Named(key, ".".join(path), folder / file)
        for path, file in _texts(values)
        if path[-1].endswith(_SUFFIX) and _is_setting(key := (*path[:-1], path[-1].removesuffix(_SUFFIX)), known)
    ]


def _is_setting(key: tuple[str, ...], known: Collection[str]) -> bool:
    return ".".join(key) in known or _of_store(key) in _STORE_KEYS


def _of_store(key: tuple[str, ...]) -> str | None:
    """Which key of `redo.stores.<id>` it is."""
    return key[3] if len(key) == 4 and key[:2] == ("redo", "stores") else None


def _in_environment(environment: Mapping[str, str], known: Collection[str]) -> Iterator[_Named]:
    stores = [
        match for name in environment if (match := STORE_VARIABLE.fullmatch(name.upper().removesuffix(FILE_SUFFIX)))
    ]
    of_stores = [("redo", "stores", match[1].lower(), match[2].lower()) for match in stores]
    for key in [*(tuple(name.split(".")) for name in known), *of_stores]:
        variable = env_name(".".join(key)) + FILE_SUFFIX
        if file := environment.get(variable):
            yield _Named(key, variable, Path(file))


def _texts(values: Mapping[str, Any], path: tuple[str, ...] = ()) -> Iterator[tuple[tuple[str, ...], str]]:
    for name, value in values.items():
        if isinstance(value, Mapping):
            yield from _texts(value, (*path, name))
        elif isinstance(value, str):
            yield (*path, name), value


def files_with_secrets(path: str | None) -> Iterator[tuple[str, Path]]:
    """Files that `load` reads secrets from, with the setting or variable that names them. A DSN is one when it holds a
    password."""
    file = Path(path or os.environ.get(PREFIX + "CONFIG") or DEFAULT_PATH)
    values = read_toml(file) if file.exists() else {}
    if any(_is_secret(key, text) for key, text in _texts(values)):
        yield str(file), file
    keys, environment = (*SECRETS, *DSNS), dict(sorted(os.environ.items()))
    for named in [*_in_settings(values, file.parent, keys), *_in_environment(environment, keys)]:
        text = named.file.read_text(encoding="utf-8", errors="replace") if named.file.is_file() else ""
        if _is_secret(named.key, text.strip()):
            yield named.where, named.file


def _is_secret(key: tuple[str, ...], text: str) -> bool:
    name = ".".join(key)
    return name in SECRETS or _of_store(key) == "api_secret" or (name in DSNS and holds_password(text))
