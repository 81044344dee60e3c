"""What the pipeline needs of its neighbours, in its own words. They satisfy these without knowing it.

This module has no behaviour. Times are seconds since 1970 unless a name says otherwise.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Mapping, Sequence
from dataclasses import dataclass
from enum import IntEnum, StrEnum
from typing import Protocol

from connector.changes import Changes, Interest, Lsn, StreamPosition, Transaction
from connector.orders import Affected, Assembly, Document, KeyPage, Lookup, Members, Order, OrderKey, Outcome


class Lane(IntEnum):
    """Who goes first: a live change, then the rest of a wide fan-out, then a sweep (backfill, reconcile)."""

    LIVE = 0
    FANOUT = 1
    SWEEP = 2


@dataclass(frozen=True, slots=True)
class Commit:
    """A transaction's place in the ledger's own order: `revision` only grows, one (or more) a transaction.

    A standby shows the transaction once it has replayed up to `end_lsn`.
    """

    revision: int
    xid: int
    end_lsn: int


@dataclass(frozen=True, slots=True)
class Arrival:
    """Affected orders on their way into the ledger.

    `since` is the commit time of the change (or when a sweep asked); `first_revision` is smaller than `revision` only
    when the orders must be seen in a snapshot that shows older transactions too.
    """

    revision: int
    since: float
    lane: Lane
    keys: frozenset[OrderKey] = frozenset()
    lookups: frozenset[Lookup] = frozenset()
    first_revision: int | None = None


@dataclass(frozen=True, slots=True)
class Entry:
    """One order that waits in the ledger.

    It may be settled at `revision` by a snapshot that shows every transaction from `first_revision` to `revision`.
    `confirm`: Redo may hold something else than the checkpoint says, so push even when nothing differs.
    """

    key: OrderKey
    first_revision: int
    revision: int
    since: float
    lane: Lane
    attempts: int
    confirm: bool


@dataclass(frozen=True, slots=True)
class PendingLookup:
    """A lookup that waits in the ledger. `cursor`: keys up to it are already in the ledger; None: none yet."""

    lookup: Lookup
    first_revision: int
    revision: int
    since: float
    cursor: str | None


@dataclass(frozen=True, slots=True)
class Checkpoint:
    """What Redo last accepted for one order. `missing`: the order has left the mapping since."""

    key: OrderKey
    order_id: str
    fingerprint: bytes
    accepted_at: float
    redo_id: str | None = None
    missing: bool = False
    digest: bytes = b""
    """`Order.digest` of what was accepted; empty when it isn't known."""


@dataclass(frozen=True, slots=True)
class DeadLetter:
    """An order refused for good until it changes or a person redrives it. `fingerprint` of the refused payload, None
    when there was none to send. `reason`: `rejected`, `invalid`, `mapping`, `duplicate`. No values in `message`."""

    key: OrderKey
    reason: str
    message: str
    paths: tuple[str, ...]
    fingerprint: bytes | None
    first_seen: float
    last_seen: float
    attempts: int
    status: int | None = None


@dataclass(frozen=True, slots=True)
class Again:
    """Keep the order in the ledger: look again at `due`."""

    due: float
    attempts: int
    confirm: bool


@dataclass(frozen=True, slots=True)
class Settlement:
    """What becomes of one taken entry, written in one commit.

    `checkpoint` is stored when Redo accepted (or `missing` was marked); `dead_letter` when it was refused;
    `clear_dead_letter` when an earlier one no longer holds. Without `again` the entry leaves the ledger, unless it was
    affected anew since it was taken: then the newer part stays, due at once.
    """

    entry: Entry
    checkpoint: Checkpoint | None = None
    dead_letter: DeadLetter | None = None
    clear_dead_letter: bool = False
    again: Again | None = None
    members: Members | None = None
    """What the reverse index holds for the order from now on; None leaves it as it is."""


class SweepKind(StrEnum):
    BACKFILL = "backfill"
    RECONCILE = "reconcile"


@dataclass(frozen=True, slots=True)
class Sweep:
    """A walk over all orders in key order, resumable. `phase` 0 walks the OMS, 1 walks the checkpoints for orders that
    left it. `wanted_revision` is above `revision` when something asked for another walk since this one began."""

    kind: SweepKind
    cause: str
    revision: int
    wanted_revision: int
    started_at: float
    phase: int = 0
    cursor: str | None = None
    scanned: int = 0
    finished_at: float | None = None


@dataclass(frozen=True, slots=True)
class Known:
    """What is remembered about some orders: by key, and who else's checkpoint already uses an order id."""

    checkpoints: Mapping[OrderKey, Checkpoint]
    dead_letters: Mapping[OrderKey, DeadLetter]


@dataclass(frozen=True, slots=True)
class Tally:
    """Counts for metrics and status."""

    affected: int
    lookups: int
    oldest_since: float | None
    checkpoints: int
    missing: int
    dead_letters: Mapping[str, int]


class Source(Protocol):
    """The OMS's stream."""

    def batches(self, interest: Interest) -> AsyncIterator[Sequence[Transaction]]:
        """Connect and yield what has arrived, in commit order, never an empty batch.

        Raises SourceUnavailable when cut off.
        """
        ...

    def acknowledge(self, lsn: Lsn) -> None:
        """Everything up to `lsn` (a Transaction's end_lsn) is durable here: the slot may let go of it."""
        ...

    def position(self) -> StreamPosition: ...


class Routes(Protocol):
    """Changed rows to orders: pure, no I/O."""

    @property
    def interest(self) -> Interest: ...

    def affected(self, changes: Changes) -> Affected: ...


class Assembler(Protocol):
    """The mapping, run for some orders. Every method raises SourceUnavailable or MappingBroken; `assemble` and
    `resolve` also OrderUnreadable."""

    @property
    def fingerprint(self) -> str:
        """Changes when the mapping's meaning may have changed."""
        ...

    async def assemble(self, keys: Sequence[OrderKey]) -> Assembly:
        """With no keys: just a snapshot."""
        ...

    async def resolve(self, lookups: Sequence[Lookup], after: str | None, limit: int) -> KeyPage:
        """Orders that any of the lookups (all of one route) leads to, in key order after a cursor."""
        ...

    async def scan(self, after: str | None, limit: int) -> KeyPage:
        """All order keys in key order after a cursor."""
        ...

    async def absent(self, keys: Sequence[OrderKey]) -> frozenset[OrderKey]:
        """Those of the keys that the order table has no row for."""
        ...

    async def estimate(self) -> int:
        """About how many orders there are."""
        ...


class Contract(Protocol):
    """Redo's rules."""

    def order(self, document: Document, seen_at: float) -> Order:
        """The payload for one row of the mapping. Raises InvalidOrder with every violation found."""
        ...


class Redo(Protocol):
    async def push(self, order: Order) -> Outcome:
        """One request. Never raises for anything the network or Redo does."""
        ...


class Memory(Protocol):
    """The checkpoint store. `durable` commits survive a power cut; the rest survive a kill -9. All raise
    CheckpointsUnwritable."""

    async def arrive(self, arrivals: Sequence[Arrival], commits: Sequence[Commit], sweep: Sweep | None = None) -> None:
        """Add to the ledger (merging with what waits there), remember the commits as unseen, and store the sweep's
        state if given: one durable commit."""
        ...

    async def take(self, limit: int, now: float, busy: frozenset[OrderKey], lanes: Sequence[Lane]) -> list[Entry]:
        """The next due entries, by lane, then oldest first, leaving out `busy` keys; durably marked as in flight."""
        ...

    async def settle(self, settlements: Sequence[Settlement]) -> None: ...

    async def hasten(self) -> None:
        """Redo answers again: every entry that was backing off is due at once."""
        ...

    async def known(self, keys: Sequence[OrderKey]) -> Known: ...

    async def owners(self, order_ids: Sequence[str]) -> Mapping[str, OrderKey]:
        """Which key's checkpoint (not missing) holds each order id."""
        ...

    async def take_lookups(self, limit: int, *, wide: bool) -> list[PendingLookup]:
        """The next lookups, oldest first, all of one route and one cursor. Nothing is marked: one resolver for `wide`
        ones (a page was read: cursor not None) and one for the others."""
        ...

    async def enroll(self, members: Mapping[OrderKey, Members]) -> None:
        """Before orders are pushed: add their child rows to the reverse index, removing none. One durable commit."""
        ...

    async def enrolled(self, index: str, rows: Sequence[str], after: OrderKey | None, limit: int) -> list[OrderKey]:
        """Orders that the reverse index names for any of the rows, in the store's own order of keys after a key."""
        ...

    async def forget_indexes(self, keep: frozenset[str]) -> None:
        """Remove all members of reverse indexes of other names, which the mapping no longer has: gone for `enrolled` at
        once and durably, removed from the file bit by bit, so that other calls get in between. After a kill the next
        call goes on."""
        ...

    async def resolved(self, lookups: Sequence[PendingLookup], arrival: Arrival | None, cursor: str | None) -> None:
        """Store the keys found and, when `cursor` is None, forget the lookups as they were taken; else remember the
        cursor. A lookup that arrived anew since it was taken stays, from the start. One durable commit."""
        ...

    async def unseen(self) -> list[Commit]:
        """Commits that no snapshot has shown yet."""
        ...

    async def seen(self, revisions: Sequence[int]) -> None: ...

    async def sweep(self) -> Sweep | None: ...

    async def save_sweep(self, sweep: Sweep) -> None: ...

    async def page_checkpoints(self, after: OrderKey | None, limit: int) -> list[OrderKey]:
        """Keys of checkpoints not marked missing, in the store's own order."""
        ...

    async def recover(self) -> int:
        """At start: what was in flight when the process died must be confirmed. Returns the highest revision used."""
        ...

    async def note(self, name: str, value: str) -> None:
        """Remember a small named fact (mapping fingerprint, stream position), durably."""
        ...

    async def noted(self, name: str) -> str | None: ...

    async def tally(self) -> Tally: ...

    async def dead_letters(self, after: OrderKey | None, limit: int) -> list[DeadLetter]: ...

    async def next_due(self, busy: frozenset[OrderKey]) -> float | None:
        """When the earliest entry falls due, None when nothing waits."""
        ...

    async def close(self) -> None: ...


class Observer(Protocol):
    """Where facts are told. No order id ever becomes a label."""

    def transaction(self, changes: Sequence[Changes], *, whole: bool) -> None:
        """A transaction, or a part of one: `whole` when it ends here."""
        ...

    def order(self, result: str, count: int = 1) -> None:
        """`pushed`, `unchanged`, `rejected`, `invalid`, `missing`."""
        ...

    def sync_latency(self, seconds: float) -> None: ...

    def assembled(self, seconds: float, keys: int) -> None: ...

    def retry(self, reason: str) -> None: ...

    def swept(self, kind: SweepKind, orders: int) -> None: ...

    def drift(self, count: int) -> None: ...
