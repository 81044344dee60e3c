"""What is wrong with settings, for people: the setting, what to do, and the nearest known name; never a value."""

from __future__ import annotations

import difflib
from collections.abc import Iterable, Iterator, Mapping, Sequence

from pydantic import ValidationError

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


def problems_of(error: ValidationError, file: str, known: Sequence[str]) -> Iterator[Problem]:
    for item in error.errors(include_url=False, include_input=False, include_context=False):
        parts = [str(part) for part in item["loc"]]
        key = ".".join(parts)
        if item["type"] == "missing":
            wanted = (
                [key]
                if len(parts) > 1
                else [name for name in ("source.dsn", "redo.store_id", "redo.api_secret") if name.startswith(key + ".")]
            )
            for name in wanted:
                yield Problem("is required", f"set it in {file} or as {env_name(name)}", name)
        elif item["type"] == "extra_forbidden":
            yield Problem("is not a setting", _nearest(key, known), key)
        else:
            message = item["msg"].removeprefix("Value error, ")
            if item["type"] == "string_pattern_mismatch":
                message = _SPELLINGS.get(key, "must begin with https:// or http://")
            where, _, rest = message.partition(": ")
            if not key and rest:
                key, message = where, rest
            setting = next((name for name in known if key.startswith(f"{name}.")), key)
            yield Problem(message, f"mend it in {file} or in {env_name(setting)}", key)


def _nearest(name: str, known: Sequence[str]) -> str:
    close = difflib.get_close_matches(name, known, n=1, cutoff=0.6)
    return f"did you mean {close[0]}?" if close else "docs/settings.md lists them all"
