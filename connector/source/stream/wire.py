"""Reading one binary message from front to back, and the error for a malformed one.

Neighbours: `pgoutput` and `frames` read whole messages with it; `rows` reads rows faster on its own.
"""

from __future__ import annotations

from collections.abc import Callable
from struct import Struct
from struct import error as StructError  # noqa: N812 - struct's one exception is named like a function
from typing import Final

from connector.model.changes import Lsn, format_lsn
from connector.model.errors import SourceUnavailable

U8: Final = Struct(">B")
U16: Final = Struct(">H")
U32: Final = Struct(">I")
I32: Final = Struct(">i")
U64: Final = Struct(">Q")
I64: Final = Struct(">q")

LSN_END: Final = 2**63
"""No WAL will ever be as long; and what is remembered of it are signed numbers."""

POSTGRES_EPOCH: Final = 946_684_800
"""2000-01-01 in unix seconds."""


class Unreadable(SourceUnavailable):
    """What the stream carries can't be read. A new stream may bring the same again."""


class ProtocolError(Unreadable):
    """A message that isn't what the manual says. Names its type, the byte offset and, once known, its place in the WAL,
    never its content."""

    def __init__(self, kind: int, offset: int, what: str, at: int | None = None) -> None:
        name = chr(kind) if 32 < kind < 127 else f"0x{kind:02x}"
        place = "" if at is None else f" at {format_lsn(at)}"
        super().__init__(f"replication stream{place}: message {name!r} is malformed at byte {offset}: {what}")
        self._parts = kind, offset, what

    def at(self, lsn: int) -> ProtocolError:
        """The same, with its place."""
        return ProtocolError(*self._parts, lsn)


def unix_seconds(microseconds: int) -> float:
    """The stream's clock (microseconds since 2000-01-01 UTC) as unix seconds."""
    return POSTGRES_EPOCH + microseconds / 1_000_000


class Cursor:
    """Reads one message from front to back. Raises ProtocolError where it ends early or late."""

    __slots__ = ("_read", "at", "frame", "kind")

    def __init__(self, frame: bytes, read: Callable[[bytes], str] = bytes.decode) -> None:
        """`read` reads the bytes of a text."""
        if not frame:
            raise ProtocolError(0, 0, "it is empty")
        self.frame = frame
        self.kind = frame[0]
        self.at = 1
        self._read = read

    def fail(self, what: str) -> ProtocolError:
        return ProtocolError(self.kind, self.at, what)

    def number(self, form: Struct) -> int:
        try:
            value: int = form.unpack_from(self.frame, self.at)[0]
        except StructError:
            raise self.fail("it ends early") from None
        self.at += form.size
        return value

    def lsn(self) -> Lsn:
        value = self.number(U64)
        if value >= LSN_END:
            self.at -= 8
            raise self.fail("its place in the WAL can't be one")
        return Lsn(value)

    def text(self) -> str:
        end = self.frame.find(0, self.at)
        if end < 0:
            raise self.fail("a string has no end")
        try:
            value = self._read(self.frame[self.at : end])
        except UnicodeDecodeError:
            raise self.fail("a string is not UTF-8") from None
        self.at = end + 1
        return value

    def take(self, size: int) -> bytes:
        if size > len(self.frame) - self.at:
            raise self.fail("it ends early")
        self.at += size
        return self.frame[self.at - size : self.at]

    def flag(self) -> bool:
        return self.flags(1) == 1

    def flags(self, known: int) -> int:
        value = self.number(U8)
        if value & ~known:
            self.at -= 1
            raise self.fail("it has unknown flags")
        return value

    def end(self) -> None:
        if self.at != len(self.frame):
            raise ProtocolError(self.kind, min(self.at, len(self.frame)), "it goes on after its end or ends early")
