"""The hot path: rows of a pgoutput Insert, Update or Delete, read only for the columns that are wanted.

https://www.postgresql.org/docs/current/protocol-logicalrep-message-formats.html#PROTOCOL-LOGICALREP-MESSAGE-FORMATS-TUPLEDATA
Pure: bytes in, values out. Doesn't know what a relation's columns are called.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from struct import error as StructError  # noqa: N812 - struct's one exception is named like a function
from typing import Final, TypeAlias

from connector.model.changes import UNKNOWN, Value
from connector.source.stream.wire import U16, U32, ProtocolError

INSERT: Final = ord("I")
UPDATE: Final = ord("U")
DELETE: Final = ord("D")
KEY: Final = ord("K")
OLD: Final = ord("O")
NEW: Final = ord("N")

_TEXT: Final = ord("t")
_NULL: Final = ord("n")
_UNCHANGED: Final = ord("u")

Text: TypeAlias = Callable[[bytes], str]

_u16_at = U16.unpack_from
_u32_at = U32.unpack_from


def read_row(
    frame: bytes, at: int, slots: Sequence[int], width: int, text: Text = bytes.decode
) -> tuple[list[Value], int]:
    """One TupleData from `at`: the hot path.

    `slots` has one entry a column: where in the result its value goes, or -1 to skip it unread. Slots that no column
    fills stay UNKNOWN, as do unchanged TOAST values. `text` reads the bytes of a value. Returns `width` values and the
    offset after the tuple. The caller must check that offset against what follows: that is what finds a value cut
    short. Raises ProtocolError.
    """
    values: list[Value] = [UNKNOWN] * width
    try:
        if _u16_at(frame, at)[0] != len(slots):
            raise ProtocolError(frame[0], at, "the row's width differs from its relation's")
        at += 2
        for slot in slots:
            kind = frame[at]
            if kind == _TEXT:
                start = at + 5
                end = start + _u32_at(frame, at + 1)[0]
                if slot >= 0:
                    values[slot] = text(frame[start:end])
                at = end
            elif kind == _NULL:
                if slot >= 0:
                    values[slot] = None
                at += 1
            elif kind == _UNCHANGED:
                at += 1
            else:
                raise ProtocolError(frame[0], at, "a column is neither text, NULL nor unchanged")
    except (IndexError, StructError):
        raise ProtocolError(frame[0], min(at, len(frame)), "it ends early") from None
    except UnicodeDecodeError:
        raise ProtocolError(frame[0], at, "a column is not UTF-8") from None
    return values, at


def read_change(
    frame: bytes, slots: Sequence[int], width: int, text: Text = bytes.decode
) -> tuple[int, list[Value] | None, list[Value] | None]:
    """An Insert, Update or Delete reduced to some columns: the old row's kind (0: none), the old row, the new row.

    `slots`, `width` and `text` as in `read_row`. Raises ProtocolError.
    """
    kind, at, old_kind = frame[0], 6, 0
    old: list[Value] | None = None
    new: list[Value] | None = None
    try:
        part = frame[5]
        if part != NEW:
            if kind == INSERT or part not in (KEY, OLD):
                raise ProtocolError(kind, 5, "it has an unknown part")
            old_kind = part
            old, at = read_row(frame, at, slots, width, text)
            if kind == UPDATE:
                part = frame[at]
                at += 1
        if kind != DELETE:
            if part != NEW:
                raise ProtocolError(kind, at - 1, "its new row is missing")
            new, at = read_row(frame, at, slots, width, text)
        elif old is None:
            raise ProtocolError(kind, 5, "its old row is missing")
    except IndexError:
        raise ProtocolError(kind, len(frame), "it ends early") from None
    if at != len(frame):
        raise ProtocolError(kind, min(at, len(frame)), "it goes on after its end or ends early")
    return old_kind, old, new


def relation_of(frame: bytes) -> int:
    """The relation's oid in an Insert, Update or Delete. Raises ProtocolError."""
    try:
        oid: int = _u32_at(frame, 1)[0]
    except StructError:
        raise ProtocolError(frame[0], len(frame), "it ends early") from None
    return oid
