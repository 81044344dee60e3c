"""What is wrong with settings, for people: the setting, what to do, and the nearest known name; never a value."""

from __future__ import annotations

import difflib
from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path

from pydantic import ValidationError
from pydantic_core import ErrorDetails

from connector.model.errors import Problem
from connector.model.texts import is_storable, storable
from connector.settings.sources import FILE_SUFFIX, PREFIX, STORE_VARIABLE, env_name, not_json

_SPELLINGS = {
    "source.slot": "must be lower-case letters, digits and underscores, 63 at most",
    "checkpoints.postgres_schema": "must be lower-case letters, digits and underscores, 63 at most",
    "redo.base_url": "must begin with https:// or http://",
    "redo.orders_url": "must begin with https:// or http://",
}


def unknown_variables(environment: Iterable[str], keys: Sequence[str]) -> Iterator[Problem]:
    known = {env_name(key) for key in keys}
    allowed = known | {name + FILE_SUFFIX for name in known} | {PREFIX + "CONFIG"}
    for name in sorted(environment):
        upper = name.upper()
        of_store = STORE_VARIABLE.fullmatch(upper.removesuffix(FILE_SUFFIX)) is not None
        if upper.startswith(PREFIX) and upper not in allowed and not of_store:
            yield Problem("is not a setting", _nearest(name, sorted(known)), name)


def unreadable_variables(environment: Mapping[str, str], structured: Iterable[str]) -> Iterator[Problem]:
    """Bytes that are no text; and what isn't JSON, of the settings that are lists or tables."""
    names = {env_name(key) for key in structured}
    for name, text in sorted(environment.items()):
        upper = name.upper()
        if upper.startswith(PREFIX) and not upper.endswith(FILE_SUFFIX) and not is_storable(text):
            yield Problem("holds bytes that are no text in UTF-8", "write it anew, in UTF-8", storable(name, 200))
        elif text and upper in names and (wrong := not_json(text)):
            hint = 'write it as in ["a", "b"], or {"name": {...}}; in a shell, between single quotes'
            yield Problem(wrong, hint, name)


def problems_of(error: ValidationError, file: str, known: Sequence[str]) -> list[Problem]:
    """What isn't a setting first: what is missing may only be misspelled, and isn't told then."""
    items = error.errors(include_url=False, include_input=False, include_context=False)
    unknown = [_unknown([str(part) for part in it["loc"]], known) for it in items if it["type"] == "extra_forbidden"]
    missing = [name for it in items if it["type"] == "missing" for name in _missing([str(part) for part in it["loc"]])]
    meant = [problem.hint for problem in unknown]
    lacking = [
        Problem("is required", f"set it in {file} or as {env_name(name)}{_as_file(name)}", name)
        for name in missing
        if not {_meant(name), _meant(f"[{name.partition('.')[0]}]")} & {*meant}
    ]
    wrong = [it for it in items if it["type"] not in ("extra_forbidden", "missing")]
    return [*unknown, *lacking, *(_wrong(it, file, known) for it in wrong)]


def _unknown(path: Sequence[str], known: Sequence[str]) -> Problem:
    key = ".".join(path)
    return Problem("is not a setting", _nearest(key, known) if len(path) > 1 else _section(key, known), key)


def _missing(path: Sequence[str]) -> list[str]:
    """The settings that are lacking with a section."""
    required = ("source.dsn", "redo.store_id", "redo.api_secret")
    return [".".join(path)] if len(path) > 1 else [name for name in required if name.startswith(f"{path[0]}.")]


def _wrong(item: ErrorDetails, file: str, known: Sequence[str]) -> Problem:
    key = ".".join(str(part) for part in item["loc"])
    message = item["msg"].removeprefix("Value error, ")
    if item["type"] == "string_pattern_mismatch":
        message = _SPELLINGS.get(key, "must begin with https:// or http://")
    where, _, rest = message.partition(": ")
    if not key and rest:
        key, message = where, rest
    setting = next((name for name in known if key.startswith(f"{name}.")), key)
    return Problem(message, f"mend it in {file} or in {env_name(setting)}", key)


def _meant(name: str) -> str:
    return f"did you mean {name}?"


def _nearest(name: str, known: Sequence[str]) -> str:
    close = difflib.get_close_matches(name, known, n=1, cutoff=0.6)
    return _meant(close[0]) if close else "docs/settings.md lists them all"


def _section(name: str, known: Sequence[str]) -> str:
    """What was meant by a name that stands outside of the sections, or as one."""
    homes = [key for key in known if key.rpartition(".")[2] == name]
    close = difflib.get_close_matches(name, {key.partition(".")[0] for key in known}, n=1, cutoff=0.6)
    if homes:
        return f"{' or '.join(homes)}? It belongs below the line [{homes[0].partition('.')[0]}]"
    return _meant(f"[{close[0]}]") if close else "docs/settings.md lists them all"


def _as_file(key: str) -> str:
    """Where else a secret may be."""
    if key.rpartition(".")[2] not in ("dsn", "api_secret", "payload_keys"):
        return ""
    return f"; or name a file that holds it: {key}{FILE_SUFFIX.lower()} there, or {env_name(key)}{FILE_SUFFIX}"


def no_file(file: Path) -> str:
    """How a settings file that isn't there is called."""
    return f"{file} (there is none in {file.absolute().parent}; --config names another)"


def no_settings(file: Path) -> Problem:
    """What to do where there is neither a settings file nor a setting in the environment: another folder, mostly."""
    hint = "go to its folder, name it with --config or CONNECTOR_CONFIG, or let `redo-connector init` write a first one"
    return Problem(f"there is none in {file.absolute().parent}, and no setting in the environment", hint, str(file))
