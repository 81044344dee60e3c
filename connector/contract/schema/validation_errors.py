"""pydantic's errors as violations in plain words, for whoever writes the mapping. No message repeats a value."""

from __future__ import annotations

import difflib
import re
from collections.abc import Collection, Mapping
from typing import Any, Final

from pydantic import ValidationError
from pydantic.alias_generators import to_camel

from connector.contract.schema.field_tree import field_tree
from connector.model.orders import Violation

_NAME: Final = re.compile(r"[A-Za-z_][A-Za-z0-9_]{0,63}")
_CAPITAL: Final = re.compile(r"[A-Z]")
_WORDS: Final[Mapping[str, str]] = {
    "missing": "is required: add it to the mapping",
    "string_type": "must be text",
    "list_type": "must be a list (a JSON array)",
    "model_type": "must be an object (a JSON object)",
    "model_attributes_type": "must be an object (a JSON object)",
    "dict_type": "must be an object (a JSON object)",
    "string_too_short": "must be exactly four characters, as text",
    "string_too_long": "must be exactly four characters, as text",
}


def violations(error: ValidationError, worded: int) -> list[Violation]:
    """One Violation for each thing wrong, in the order of the fields; only the first `worded` have a message, because
    looking for the name that was meant takes long."""
    errors = enumerate(error.errors(include_url=False))
    return [
        Violation(path(found["loc"]), _message(found["type"], found) if at < worded else "") for at, found in errors
    ]


def path(steps: tuple[int | str, ...]) -> str:
    """`lineItems[2].priceSet`. A key that isn't a plain name could be data, so it shows as `?`."""
    text = ""
    for step in steps:
        if isinstance(step, int):
            text += f"[{step}]"
        else:
            text += ("." if text else "") + (to_camel(step) if _NAME.fullmatch(step) else "?")
    return text


def _message(kind: str, found: Mapping[str, Any]) -> str:
    if kind == "extra_forbidden":
        return _unknown(str(found["loc"][-1]), _fields_beside(found["loc"]))
    if kind != "missing" and found["input"] is None:
        if isinstance(found["loc"][-1], int):
            return (
                "must not be NULL: keep the empty rows of a LEFT JOIN out of the list, e.g. jsonb_agg(...) FILTER "
                "(WHERE ... IS NOT NULL)"
            )
        return "must not be NULL"
    if kind == "redo":
        return str(found["msg"])
    if kind == "literal_error":
        return f"must be one of {found['ctx']['expected']}"
    return _WORDS.get(kind, "is not what Redo's contract asks for")


def _unknown(key: str, fields: Collection[str]) -> str:
    """`fields`: those of the object that the key was found in."""
    name = to_camel(key)
    if name in fields:
        return f"is given in two spellings ({name}, {_CAPITAL.sub(_snake, name)}): keep one spelling"
    near = difflib.get_close_matches(name, fields, n=1, cutoff=0.75)
    return "is not a field that Redo knows here" + (f"; did you mean {near[0]}?" if near else "")


def _snake(capital: re.Match[str]) -> str:
    return "_" + capital[0].lower()


def _fields_beside(steps: tuple[int | str, ...]) -> Collection[str]:
    level = field_tree()
    for step in steps[:-1]:
        level = level if isinstance(step, int) else level.get(to_camel(step), {})
    return level.keys()
