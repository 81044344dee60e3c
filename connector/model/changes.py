"""What the source's stream and its snapshots say, in Postgres's words.

Leaf module: frozen data, no I/O, nothing about orders. Made by `source`, read by `projection` and `pipeline`.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from enum import Enum, StrEnum
from typing import Final, Literal, NewType, TypeAlias

Lsn = NewType("Lsn", int)
"""A byte position in the WAL (https://www.postgresql.org/docs/current/datatype-pg-lsn.html)."""


def format_lsn(lsn: int) -> str:
    """The `XXX/YYY` spelling that Postgres prints."""
    return f"{lsn >> 32:X}/{lsn & 0xFFFFFFFF:X}"


def parse_lsn(text: str) -> Lsn:
    """Read `XXX/YYY`. Raises ValueError for anything else."""
    high, slash, low = text.partition("/")
    if not slash:
        raise ValueError(f"not an LSN: {text!r}")
    return Lsn((int(high, 16) << 32) | int(low, 16))


@dataclass(frozen=True, slots=True, order=True)
class TableName:
    """A table with its schema, both as the catalog spells them (unquoted)."""

    schema: str
    name: str

    def __str__(self) -> str:
        return f"{self.schema}.{self.name}"


class Operation(StrEnum):
    INSERT = "insert"
    UPDATE = "update"
    DELETE = "delete"
    TRUNCATE = "truncate"


class Unknown(Enum):
    """A value that the stream did not carry: outside an old row's replica identity, or an unchanged TOAST value."""

    UNKNOWN = "unknown"

    def __repr__(self) -> str:
        return "UNKNOWN"


UNKNOWN: Final = Unknown.UNKNOWN

Value: TypeAlias = str | Literal[Unknown.UNKNOWN] | None
"""One column in Postgres's text format, None for NULL."""

Image: TypeAlias = tuple[Value, ...]
"""The columns of one row, before or after a change, in the order of the table's Interest."""

Interest: TypeAlias = Mapping[TableName, tuple[str, ...]]
"""Which tables are followed, and which of their columns are worth decoding. Other columns are skipped unread."""


@dataclass(frozen=True, slots=True)
class Changes:
    """What one transaction (or one part of it) did to one table with one operation.

    `images` are the distinct old and new images of all changed rows, reduced to the columns of the Interest;
    `rows` counts the row changes behind them. A TRUNCATE has no images and `rows` is 1.
    """

    table: TableName
    operation: Operation
    rows: int
    images: tuple[Image, ...]


@dataclass(frozen=True, slots=True)
class Transaction:
    """A committed transaction, or one bounded part of a large one, in commit order.

    `end_lsn` is None on every part but the last: only then may the flush LSN pass the transaction.
    """

    xid: int
    """The 32-bit transaction id of the BEGIN message."""
    commit_lsn: Lsn
    end_lsn: Lsn | None
    commit_time: float
    """Seconds since 1970, the server's clock."""
    changes: tuple[Changes, ...]


@dataclass(frozen=True, slots=True)
class StreamPosition:
    """Where the stream is. `seen_at` is the local monotonic clock (s) of the last byte heard from the server, `silence`
    for how long (s) it has said nothing while it was listened to; `told_lsn` is the flush position that it was told,
    `messages` how many of the WAL's were read on this connection."""

    received_lsn: Lsn
    flush_lsn: Lsn
    server_lsn: Lsn
    seen_at: float
    connected: bool
    told_lsn: Lsn = Lsn(0)
    silence: float = 0.0
    messages: int = 0


@dataclass(frozen=True, slots=True)
class StreamIdentity:
    """Which stream an LSN is a position in: the same number means something else on another server, timeline, database
    or slot (https://www.postgresql.org/docs/current/protocol-replication.html, IDENTIFY_SYSTEM)."""

    system: str
    """The cluster's system identifier, in decimal."""
    timeline: int
    database: str
    slot: str


@dataclass(frozen=True, slots=True)
class StreamStart:
    """Where a stream is about to start, and of what. `confirmed`: the slot's confirmed_flush_lsn, from where on the
    server sends; `server`: how far its WAL is flushed (on a standby: replayed); `walsender`: the server's process, 0
    where that isn't known."""

    identity: StreamIdentity
    confirmed: Lsn
    server: Lsn
    walsender: int = 0


@dataclass(frozen=True, slots=True)
class Snapshot:
    """Which transactions a read saw.

    On a primary: `pg_current_snapshot()` (https://www.postgresql.org/docs/current/functions-info.html#FUNCTIONS-PG-SNAPSHOT),
    64-bit ids. On a standby that list misses running transactions, so there `replay_lsn` (taken before the
    snapshot) decides instead: a commit record that was replayed is visible.
    """

    xmin: int
    xmax: int
    in_progress: frozenset[int]
    replay_lsn: Lsn | None = None

    def shows(self, xid: int, end_lsn: int) -> bool:
        """True when the transaction (32-bit xid, LSN just after its commit record) is visible to this read."""
        if self.replay_lsn is not None:
            return self.replay_lsn >= end_lsn
        full = self._widen(xid)
        return full < self.xmin or (full < self.xmax and full not in self.in_progress)

    def _widen(self, xid: int) -> int:
        """Add the epoch: xids are compared modulo 2**32, and no live one is further than 2**31 from xmax."""
        distance = (xid - self.xmax) & 0xFFFFFFFF
        return self.xmax + (distance - 0x100000000 if distance >= 0x80000000 else distance)
