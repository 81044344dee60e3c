"""The types of single settings: durations, sizes, zones, encodings, as they are written in text."""

from __future__ import annotations

import re
from typing import Annotated
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from pydantic import BeforeValidator, Field, WithJsonSchema

from connector.model.charset import known_fallback

_LARGEST = 2**62
"""Of any number."""
_LONGEST = 2_147_483
"""Seconds of a time limit: Postgres's own are milliseconds in 32 bits."""
_AGES = 10 * 365 * 86_400
"""Seconds between two of what comes again and again."""
_UNITS = {"ms": 0.001, "s": 1.0, "m": 60.0, "h": 3600.0, "d": 86400.0}
_DURATION = re.compile(r"^\s*(\d+(?:\.\d+)?)\s*(ms|s|m|h|d)?\s*$")

_SIZE_UNITS = ("b", "kb", "mb", "gb", "tb")
_SIZE = re.compile(r"^\s*(\d+(?:\.\d+)?)\s*([kKmMgGtT]?[bB])?\s*$")


def _parse_duration(value: object) -> object:
    """`500ms`, `30s`, `5m`, `24h`, `1d`, or a number of seconds, to seconds."""
    if isinstance(value, str):
        match = _DURATION.match(value)
        if not match:
            raise ValueError("not a duration: write a number with ms, s, m, h or d, such as 30s")
        return float(match[1]) * _UNITS[match[2] or "s"]
    return value


def _parse_size(value: object) -> object:
    """`10GB`, `512MB`, or a number of bytes, to bytes. As in Postgres a unit is 1024 times the one before."""
    if isinstance(value, str):
        match = _SIZE.match(value)
        if not match:
            raise ValueError("not a size: write a number with kB, MB, GB or TB, such as 10GB")
        size = float(match[1]) * 1024 ** _SIZE_UNITS.index((match[2] or "b").lower())
        return int(min(size, 2.0 * _LARGEST))
    return value


def _parse_optional_size(value: object) -> object:
    return None if value in ("off", "none", "", 0, "0") else _parse_size(value)


def _parse_optional_duration(value: object) -> object:
    return None if value in ("off", "never", "", 0, "0") else _parse_duration(value)


def _parse_optional(value: object) -> object:
    return None if value in ("", "none", "off") else value


def _parse_zone(value: object) -> object:
    try:
        ZoneInfo(str(value))
    except (ZoneInfoNotFoundError, ValueError, OSError) as error:  # it names a file
        raise ValueError("not a time zone: write an IANA name such as Europe/Berlin") from error
    return value


def _parse_encoding(value: object) -> object:
    if isinstance(value, str) and not known_fallback(value):
        raise ValueError("not an encoding of one byte a character: write windows-1252 or iso-8859-1, say")
    return value


def _written(kind: str, pattern: re.Pattern[str], example: str, *more: dict[str, object]) -> WithJsonSchema:
    """How it is written in a file, for the JSON schema: what the parsers above take isn't to be seen there."""
    text = {"type": "string", "pattern": pattern.pattern}
    return WithJsonSchema({"anyOf": [{"type": kind, "minimum": 0}, text, *more], "examples": [example]})


Seconds = Annotated[
    float,
    BeforeValidator(_parse_duration),
    Field(gt=0, le=_LONGEST),
    _written("number", _DURATION, "30s"),
]
OptionalSeconds = Annotated[
    Annotated[float, Field(gt=0, le=_AGES)] | None,
    BeforeValidator(_parse_optional_duration),
    _written("number", _DURATION, "24h", {"enum": ["off", "never"]}),
]
OptionalRate = Annotated[
    Annotated[float, Field(gt=0, le=_LARGEST)] | None,
    BeforeValidator(_parse_optional),
    WithJsonSchema({"anyOf": [{"type": "number", "exclusiveMinimum": 0}, {"enum": ["off", "none"]}]}),
]
OptionalCount = Annotated[
    Annotated[int, Field(ge=1, le=_LARGEST)] | None,
    BeforeValidator(_parse_optional),
    WithJsonSchema({"anyOf": [{"type": "integer", "minimum": 1}, {"enum": ["off", "none"]}]}),
]
OptionalSize = Annotated[
    Annotated[int, Field(ge=1, le=_LARGEST)] | None,
    BeforeValidator(_parse_optional_size),
    _written("integer", _SIZE, "10GB", {"enum": ["off", "none"]}),
]
Identifier = Annotated[str, Field(pattern=r"^[a-z0-9_]{1,63}$")]
Zone = Annotated[str, BeforeValidator(_parse_zone)]
Encoding = Annotated[str | None, BeforeValidator(_parse_encoding)]
