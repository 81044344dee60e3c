"""Where settings come from: the TOML file, the environment, and files that variables of the environment name."""

from __future__ import annotations

import json
import os
import re
import tomllib
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any, Final

from connector.model.errors import ConfigurationError, Problem
from connector.model.texts import is_storable, storable
from connector.settings.passwords import holds_password

PREFIX: Final = "CONNECTOR_"
DEFAULT_PATH: Final = "connector.toml"
FILE_SUFFIX: Final = "_FILE"
STORE_VARIABLE: Final = re.compile(r"CONNECTOR_REDO__STORES__(.+)__(API_SECRET|BASE_URL|ORDERS_URL)")
"""The environment's names for `redo.stores.<id>.*`."""


def env_name(key: str) -> str:
    """`redo.store_id` to `CONNECTOR_REDO__STORE_ID`."""
    return PREFIX + key.upper().replace(".", "__")


def read_toml(file: Path) -> dict[str, Any]:
    try:
        return tomllib.loads(file.read_text(encoding="utf-8"))
    except OSError as error:
        hint = "name an existing file with --config, or set everything by environment (CONNECTOR_SOURCE__DSN, ...)"
        raise ConfigurationError([Problem(f"can't be read: {error.strerror}", hint, str(file))]) from None
    except ValueError as error:  # not TOML, not UTF-8, or a number with thousands of digits
        raise ConfigurationError([Problem(f"is not valid TOML: {error}", "mend that line", str(file))]) from None
    except RecursionError:
        raise ConfigurationError([Problem("is nested too deeply", "no setting has such a value", str(file))]) from None


def not_json(text: str) -> str | None:
    """What is wrong with JSON, without quoting any of it; None when nothing is."""
    try:
        json.loads(text)
    except json.JSONDecodeError as error:
        return f"is not valid JSON: {error.msg} at character {error.pos + 1} of {len(text)}"
    except (ValueError, RecursionError):
        return "is JSON with a number of thousands of digits, or nested too deeply"
    return None


def unstorable(values: Mapping[str, Any], path: str = "") -> Iterator[Problem]:
    """Texts with characters that no name, address or secret has, by setting."""
    for name, value in values.items():
        where = f"{path}{name}"
        if isinstance(value, Mapping):
            yield from unstorable(value, f"{where}.")
        texts = [
            name,
            *(one for one in (value if isinstance(value, (list, tuple)) else [value]) if isinstance(one, str)),
        ]
        if not all(map(is_storable, texts)):
            yield Problem("holds a zero byte or half a character", "write it without", storable(where, 200))


def add_secret_files(values: dict[str, Any], environment: Mapping[str, str], known: Iterable[str]) -> Iterator[Problem]:
    """Put what `CONNECTOR_X__Y_FILE` names into the values; the variable without _FILE still wins."""
    stores = [
        match for name in environment if (match := STORE_VARIABLE.fullmatch(name.upper().removesuffix(FILE_SUFFIX)))
    ]
    of_stores = [f"redo.stores.{match[1].lower()}.{match[2].lower()}" for match in stores]
    for key in [*known, *of_stores]:
        name = env_name(key) + FILE_SUFFIX
        file = environment.get(name)
        if not file:
            continue
        try:
            text = Path(file).read_text(encoding="utf-8").strip()
        except (OSError, UnicodeDecodeError) as error:
            why = getattr(error, "strerror", None) or "it isn't UTF-8 text"
            yield Problem(
                f"names a file that can't be read: {why}", f"check the path and its permissions: {file}", name
            )
            continue
        *sections, field = key.split(".")
        level = values
        for section in sections:
            level = level.setdefault(section, {})
        level[field] = text


def files_with_secrets(path: str | None) -> Iterator[tuple[str, Path]]:
    """Files that `load` reads secrets from, with the setting or variable that names them. A DSN is one when it holds a
    password."""
    file = Path(path or os.environ.get(PREFIX + "CONFIG") or DEFAULT_PATH)
    if file.exists() and any(_secrets(read_toml(file))):
        yield str(file), file
    for name, named in sorted(os.environ.items()):
        key = name.upper().removesuffix(FILE_SUFFIX).rpartition("__")[2].lower()
        if not name.upper().startswith(PREFIX) or not name.upper().endswith(FILE_SUFFIX) or not Path(named).is_file():
            continue
        values = {key: Path(named).read_text(encoding="utf-8", errors="replace").strip()}
        if any(_secrets(values)):
            yield name, Path(named)


def _secrets(values: Mapping[str, Any]) -> Iterator[bool]:
    for key, value in values.items():
        if isinstance(value, Mapping):
            yield from _secrets(value)
        elif key in ("dsn", "read_dsn", "url"):
            yield holds_password(str(value))
        elif key in ("api_secret", "payload_keys", "token"):
            yield True
