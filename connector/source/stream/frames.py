"""The envelopes of streaming replication: XLogData and keepalives from the server, status updates to it.

https://www.postgresql.org/docs/current/protocol-replication.html (START_REPLICATION)
Pure. Doesn't know what XLogData carries.
"""

from __future__ import annotations

from dataclasses import dataclass
from struct import Struct
from struct import error as StructError  # noqa: N812 - struct's one exception is named like a function
from typing import Final

from connector.model.changes import Lsn
from connector.source.stream.wire import LSN_END, POSTGRES_EPOCH, ProtocolError

XLOG_DATA: Final = ord("w")
KEEPALIVE: Final = ord("k")
XLOG_HEADER: Final = 25
"""Bytes before the pgoutput message: type, start, end and send time."""

_NO_PLACE: Final = "its place in the WAL can't be one"

_XLOG = Struct(">cQQq")
_KEEPALIVE = Struct(">cQqB")
_STATUS = Struct(">cQQQqB")


@dataclass(frozen=True, slots=True)
class Keepalive:
    wal_end: Lsn
    """Every transaction that committed before this position has been sent."""
    reply: bool
    """The server wants a status update at once, or it will give us up."""


def xlog_positions(frame: bytes | memoryview) -> tuple[int, int]:
    """Where an XLogData message stands in the WAL, and the server's position. Raises ProtocolError."""
    try:
        _, start, end, _ = _XLOG.unpack_from(frame)
    except StructError:
        raise ProtocolError(XLOG_DATA, len(frame), "it ends early") from None
    if start >= LSN_END or end >= LSN_END:
        raise ProtocolError(XLOG_DATA, 1, _NO_PLACE)
    return start, end


def keepalive(frame: bytes | memoryview) -> Keepalive:
    """Raises ProtocolError."""
    try:
        _, end, _, reply = _KEEPALIVE.unpack(frame)
    except StructError:
        raise ProtocolError(KEEPALIVE, len(frame), "its length is wrong") from None
    if reply > 1:
        raise ProtocolError(KEEPALIVE, 17, "it has unknown flags")
    if end >= LSN_END:
        raise ProtocolError(KEEPALIVE, 1, _NO_PLACE)
    return Keepalive(Lsn(end), bool(reply))


def status_update(received: Lsn, flush: Lsn, now: float, reply: bool) -> bytes:
    """What we have: `received` as written, `flush` as flushed and applied. `now` in unix seconds; `reply` asks for a
    keepalive in return."""
    return _STATUS.pack(b"r", received, flush, flush, int((now - POSTGRES_EPOCH) * 1_000_000), reply)
