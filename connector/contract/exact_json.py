"""JSON in which a number keeps every digit: an int or Decimal in Python, never a binary float."""

from __future__ import annotations

import json
from collections.abc import Mapping
from decimal import Decimal
from typing import Any, Final

import orjson

from connector.model.errors import InvalidOrder
from connector.model.off_loop import pausing
from connector.model.orders import Violation

_NOT_TEXT: Final = (
    "holds bytes that are no text in the database's encoding (see source.fallback_encoding),"
    " or half of a surrogate pair"
)
_DEEPEST: Final = 200
"""Levels of nesting: orjson raises above 254."""
_LONGEST_INT: Final = 4000
"""Digits: `int()` raises above 4,300 (`sys.set_int_max_str_digits`)."""


def loads(body: bytes) -> Any:
    """Raises ValueError or RecursionError for what isn't JSON."""
    return json.loads(body, parse_float=Decimal, parse_int=_parsed_integer, object_hook=pausing(len(body)))


def _parsed_integer(digits: str) -> int | Decimal:
    return int(digits) if len(digits) <= _LONGEST_INT else Decimal(digits)


def dumps(payload: Mapping[str, Any]) -> bytes:
    """Raises InvalidOrder, naming the field, for text that is not UTF-8 and for nesting beyond 200 levels."""
    try:
        return orjson.dumps(payload, default=_decimal)
    except TypeError:
        return orjson.dumps(_portable(payload, "", 0), default=_decimal)


def integer(value: int) -> int | orjson.Fragment:
    """For orjson, which takes integers of 64 bits: a longer one as its digits."""
    return value if -(2**63) <= value < 2**64 else orjson.Fragment(str(value))


def _decimal(value: object) -> orjson.Fragment:
    if not isinstance(value, Decimal):
        raise TypeError("not JSON")
    return orjson.Fragment(format(value, "f") if abs(value.adjusted()) < 1000 else str(value))


def _portable(value: Any, path: str, depth: int) -> Any:
    """The payload with integers beyond 64 bits as their digits. Raises InvalidOrder naming what can't be sent."""
    if depth > _DEEPEST:
        raise InvalidOrder([Violation(path, "is nested too deeply to be sent")])
    if isinstance(value, str):
        return _utf8(value, path)
    if isinstance(value, dict):
        return {
            _utf8(name, path): _portable(below, f"{path}.{name}" if path else name, depth + 1)
            for name, below in value.items()
        }
    if isinstance(value, list):
        return [_portable(below, f"{path}[{at}]", depth + 1) for at, below in enumerate(value)]
    return integer(value) if type(value) is int else value


def _utf8(text: str, path: str) -> str:
    try:
        text.encode()
    except UnicodeEncodeError:
        raise InvalidOrder([Violation(path, _NOT_TEXT)]) from None
    return text
