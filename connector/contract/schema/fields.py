"""The scalar fields of Redo's order: how a value of the mapping becomes what the contract asks for.

Values come from JSON with exact numbers: str, int, Decimal, bool, None. Each `as_...` function raises `complaint` for a
value that it can't convert; no message repeats a value.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Annotated, Any, Final, Protocol, TypeVar, cast
from zoneinfo import ZoneInfo

from pydantic import BaseModel, BeforeValidator, Field, GetCoreSchemaHandler, WrapValidator
from pydantic_core import CoreSchema, PydanticCustomError
from pydantic_core.core_schema import no_info_plain_validator_function, with_info_plain_validator_function

from connector.contract.schema.currencies import Scale
from connector.contract.schema.notes import Note

LONGEST: Final = 60
"""Digits allowed before or after the point: a longer number is a mistake, not an amount."""
_TOO_LARGE: Final = 10 ** (LONGEST + 1)

_PLAIN: Final = re.compile(r"-?(?:0|[1-9][0-9]*)(?:\.[0-9]+)?")
_NUMERIC: Final = re.compile(r"[+-]?(?:[0-9]+\.?[0-9]*|\.[0-9]+)(?:[eE][+-]?[0-9]{1,4})?")
_TIMESTAMP: Final = re.compile(
    r"[0-9]{4}-[0-9]{2}-[0-9]{2}"
    r"(?:[T ][0-9]{2}:[0-9]{2}:[0-9]{2}(?:\.[0-9]{1,6})?(?:Z|[+-][0-9]{2}(?::?[0-9]{2}(?::[0-9]{2})?)?)?)?"
)
_ZULU: Final = frozenset({"", "Z", "+00:00"})


@dataclass(slots=True)
class Reading:
    """What a nested field must know of its order: the zone for zone-less times, and the order's two currencies with
    their scales. `notes`: what was noticed of its parts."""

    timezone: ZoneInfo
    presentment: str | None
    shop: str | None
    presentment_scale: Scale
    shop_scale: Scale
    notes: list[Note] = field(default_factory=list)


class Info(Protocol):
    """pydantic's ValidationInfo, whose context is the Reading."""

    @property
    def context(self) -> Reading: ...


@dataclass(frozen=True, slots=True)
class Read:
    """Annotates a type with the function that converts it, which gets the `Reading`, too, with `with_info`. `parts`:
    the model that has the fields of the converted value."""

    function: Callable[[Any], Any] | Callable[[Any, Info], Any]
    with_info: bool = False
    parts: type[BaseModel] | None = None

    def __get_pydantic_core_schema__(self, source: Any, handler: GetCoreSchemaHandler) -> CoreSchema:
        if not self.with_info:
            return no_info_plain_validator_function(cast("Callable[[Any], Any]", self.function))
        return with_info_plain_validator_function(cast("Callable[[Any, Any], Any]", self.function))


def complaint(message: str) -> PydanticCustomError:
    """An error whose message is ours and may be shown as it is."""
    return PydanticCustomError("redo", message)


def plain(number: Decimal) -> str:
    """Plain notation with every digit: `10.00` stays `10.00`. Raises for NaN, infinity and over `LONGEST` digits."""
    if not number.is_finite():
        raise complaint("must be a finite number")
    text = str(number)
    if len(text) <= LONGEST and "E" not in text:
        return text
    if not is_short(number):
        raise _too_long()
    return format(number, "f")


def is_short(number: Decimal) -> bool:
    """Whether it is finite, with at most `LONGEST` digits before and after the point."""
    exponent = number.as_tuple().exponent
    return isinstance(exponent, int) and exponent >= -LONGEST and number.adjusted() <= LONGEST


def _whole(number: int) -> int:
    """As it is. Raises for over `LONGEST` digits."""
    if -_TOO_LARGE < number < _TOO_LARGE:
        return number
    raise _too_long()


def _too_long() -> PydanticCustomError:
    return complaint(f"must have at most {LONGEST} digits before and after the point")


def as_decimal(value: object) -> Decimal:
    """A number or numeric text as an exact Decimal."""
    if type(value) is Decimal:
        return value
    if type(value) is int:
        return Decimal(value)
    if isinstance(value, str) and _NUMERIC.fullmatch(value):
        return Decimal(value)
    raise complaint("must be a plain decimal number such as 12.50, without currency sign or thousands separator")


def is_plain(text: str) -> bool:
    """True for text that is an amount just as the wire wants it."""
    return len(text) <= LONGEST and _PLAIN.fullmatch(text) is not None


def as_amount(value: Any) -> str:
    """Money on the wire: a decimal string, the digits as Postgres gave them."""
    if type(value) is str and is_plain(value):
        return value
    return plain(value if type(value) is Decimal else as_decimal(value))


def as_number(value: Any) -> int | Decimal:
    """A JSON number, exact; `10.0` is 10. Text is refused, as Redo's schema refuses it."""
    if type(value) is int:
        return _whole(value)
    if type(value) is not Decimal:
        raise complaint("must be a number")
    plain(value)
    whole = int(value)
    return whole if whole == value else value


def as_exact(value: Any) -> int | Decimal:
    """A JSON number from a number or numeric text, every digit kept."""
    if type(value) is int:
        return _whole(value)
    number = as_decimal(value)
    plain(number)
    return number


def as_count(value: Any) -> int:
    """A whole number of at least 1."""
    number = as_number(value)
    if type(number) is not int or number < 1:
        raise complaint("must be a whole number of at least 1")
    return number


def as_id(value: Any) -> str:
    """An identifier: non-empty text, or a whole number spelled out."""
    if type(value) is int:
        return str(value)
    if type(value) is not str:
        raise complaint("must be text or a whole number")
    if not value.strip():
        raise complaint("must not be empty")
    return value


def as_words(value: Any) -> str:
    """Text, or a number spelled out in plain notation."""
    if type(value) is str:
        return value
    if type(value) is int:
        return str(value)
    if type(value) is Decimal:
        return plain(value)
    raise complaint("must be text: take it out of JSON with ->> or cast it with ::text")


def as_timestamp(value: Any, info: Info) -> str:
    """Any text form of a Postgres date or timestamp, or a datetime, as ISO 8601 in UTC, `2024-05-01T08:00:00Z`; the
    fraction only when it isn't zero (https://www.postgresql.org/docs/current/datatype-datetime.html)."""
    if type(value) is datetime:
        return utc(value)
    if not isinstance(value, str):
        raise complaint("must be a date or timestamp; convert epoch numbers with to_timestamp()")
    if not _TIMESTAMP.fullmatch(value):
        raise complaint("must be a date or timestamp of the years 1 to 9999, not infinity, BC or another notation")
    try:
        moment = datetime.fromisoformat(value)
        offset = moment.utcoffset()
        if offset is None:
            moment -= (offset := _offset(moment, info.context.timezone))
        if not offset and value[19:] in _ZULU and value[10:11] == "T" and value[11:13] != "24":
            return value[:19] + "Z"  # as it is: making text of a time takes longer than reading it
        return utc(moment)
    except (ValueError, OverflowError):
        raise complaint("must be a date that exists, of the years 1 to 9999") from None


def _offset(moment: datetime, timezone: ZoneInfo) -> timedelta:
    """Of a zone-less time, by Postgres's rule for clock changes: for a time that was skipped the offset before the
    change, for one that came twice the offset after it
    (https://www.postgresql.org/docs/current/datetime-invalid-input.html). In both cases that is the smaller offset."""
    fixed = timezone.utcoffset(None)
    if fixed is not None:
        return fixed
    first, second = timezone.utcoffset(moment), timezone.utcoffset(moment.replace(fold=1))
    return min(cast("timedelta", first), cast("timedelta", second))


def utc(moment: datetime) -> str:
    """ISO 8601 with `Z`; a moment without a zone is UTC. Raises OverflowError when UTC falls out of the years 1 to
    9999."""
    if moment.tzinfo is not None:
        moment = moment.astimezone(UTC)
    text = moment.isoformat().removesuffix("+00:00")
    return f"{text[:-3] if moment.microsecond and not moment.microsecond % 1000 else text}Z"


def _nothing(value: object) -> bool:
    return value is None


def _empty_for_null(value: Any) -> Any:
    return [] if value is None else value


def _without_null(value: Any, read: Callable[[Any], list[Any]], info: Info) -> list[Any]:
    """The list without entries that are NULL, or have one."""
    if value is None:
        return []
    if type(value) is not list or not any(map(_has_null, value)):
        return read(value)
    kept = read([row for row in value if not _has_null(row)])
    info.context.notes += [Note("null", kept, at) for at, row in enumerate(value) if _has_null(row)]
    return kept


def _has_null(row: object) -> bool:
    return row is None or (type(row) is dict and None in row.values())


Id = Annotated[str, Read(as_id)]
Words = Annotated[str, Read(as_words)]
Amount = Annotated[str, Read(as_amount)]
Number = Annotated[int | Decimal, Read(as_number)]
Exact = Annotated[int | Decimal, Read(as_exact)]
Count = Annotated[int, Read(as_count)]
Timestamp = Annotated[str, Read(as_timestamp, with_info=True)]

T = TypeVar("T")
Rows = Annotated[list[T], BeforeValidator(_empty_for_null)]
"""A list of which NULL is the empty one."""
Entries = Annotated[list[T], WrapValidator(_without_null)]
"""The same of entries whose every field is required: NULL in one leaves it out."""

Omitted: Any = Field(default=None, exclude_if=_nothing)
"""An optional field that the schema doesn't let be null: NULL leaves it out."""

NoRows: Any = Field(default_factory=list)
"""An optional list."""
