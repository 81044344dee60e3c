"""What the pipeline needs of its neighbours, in its own words. They satisfy these without knowing it.

This module has no behaviour. Times are seconds since 1970 unless a name says otherwise.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Mapping, Sequence
from dataclasses import dataclass, field
from enum import IntEnum, StrEnum
from typing import Protocol

from connector.changes import Changes, Interest, Lsn, StreamPosition, Transaction
from connector.orders import (
    Affected,
    Assembly,
    Document,
    KeyPage,
    Lookup,
    Members,
    Order,
    OrderKey,
    Outcome,
    Place,
    Suspicion,
    WarningKind,
)


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
    when the orders must be seen in a snapshot that shows older transactions too. `confirm`: push them even when nothing
    differs (a redrive). `approved`: no guard holds them any more.
    """

    revision: int
    since: float
    lane: Lane
    keys: frozenset[OrderKey] = frozenset()
    lookups: frozenset[Lookup] = frozenset()
    first_revision: int | None = None
    confirm: bool = False
    approved: bool = False


@dataclass(frozen=True, slots=True)
class Entry:
    """One order that waits in the ledger.

    It may be settled at `revision` by a snapshot that shows every transaction from `first_revision` to `revision`.
    `confirm`: Redo may hold something else than the checkpoint says, so push even when nothing differs. `late_until`:
    until then a request whose outcome is unknown may still be carried out at Redo, after a newer one; None: there is
    none. `approved`: a person, or a bound that was kept, let it pass the guard.
    """

    key: OrderKey
    first_revision: int
    revision: int
    since: float
    lane: Lane
    attempts: int
    confirm: bool
    late_until: float | None = None
    approved: bool = False


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
    store_id: str = ""
    """Empty only in a store that an older version wrote, until `adopt` was called."""
    traits: bytes = b""
    """`Order.traits` of what was accepted; empty when they aren't known."""

    @property
    def place(self) -> Place:
        return Place(self.store_id, self.order_id)


@dataclass(frozen=True, slots=True)
class DeadLetter:
    """An order refused for good until it changes or a person redrives it. `fingerprint` of the refused payload, None
    when there was none to send. `reason`: `rejected`, `invalid`, `mapping`, `duplicate`, `removal`. No values in
    `message`. `cause`: field path without list indexes, and message: what letters are grouped by."""

    key: OrderKey
    reason: str
    message: str
    paths: tuple[str, ...]
    fingerprint: bytes | None
    first_seen: float
    last_seen: float
    attempts: int
    status: int | None = None
    cause: str = ""


@dataclass(frozen=True, slots=True)
class LetterGroup:
    """Dead letters of one cause. `group` is a short name for it, made of reason and cause. `samples`: some keys."""

    group: str
    reason: str
    cause: str
    orders: int
    attempts: int
    first_seen: float
    last_seen: float
    samples: tuple[OrderKey, ...]


@dataclass(frozen=True, slots=True)
class Again:
    """Keep the order in the ledger: look again at `due`. `since`, when given, takes the place of the entry's: from when
    on it counts as waiting."""

    due: float
    attempts: int
    confirm: bool
    late_until: float | None = None
    approved: bool = False
    since: float | None = None


class HoldKind(StrEnum):
    CHANGES = "changes"
    """Pushes that a sweep found to be needed."""
    REMOVALS = "removals"
    """Orders to be cancelled or deleted at Redo."""


class HoldState(StrEnum):
    GATHERING = "gathering"
    """How many there are isn't known yet: they wait for the sweep's end, or for a burst's."""
    HELD = "held"
    """More than the guard lets pass: they wait for a person."""


@dataclass(frozen=True, slots=True)
class Hold:
    """A set of orders that aren't pushed for now. `number` is given by the store; `orders` is how many there are."""

    number: int
    kind: HoldKind
    cause: str
    state: HoldState
    opened_at: float
    orders: int = 0


@dataclass(frozen=True, slots=True)
class HoldSummary:
    """What a person needs to judge a hold: in how many of its orders each field differs (`new` for orders that Redo
    hasn't, `missing` for those that left the mapping), and some keys."""

    hold: Hold
    fields: Mapping[str, int]
    samples: tuple[OrderKey, ...]


@dataclass(frozen=True, slots=True)
class Held:
    """One order of a hold. `fields` differ; `confirm` as in Entry."""

    hold: int
    fields: tuple[str, ...]
    since: float
    confirm: bool = False


@dataclass(frozen=True, slots=True)
class Warned:
    """A suspicion about an order that was pushed nevertheless. `times`: how often it arose."""

    key: OrderKey
    kind: WarningKind
    message: str
    first_seen: float
    last_seen: float
    times: int = 1


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
    payload: bytes | None = None
    """The body that Redo accepted, to be kept (sealed) with the checkpoint; None leaves what is there."""
    forget: bool = False
    """Redo has no such order any more: checkpoint, payload and line items go."""
    line_items: frozenset[int] | None = None
    """The order's line items (hashes of their ids) from now on; None leaves them as they are."""
    leftovers: tuple[Place, ...] = ()
    """Places at which Redo holds, or may hold, this order beside the checkpoint's from now on. One that was the
    checkpoint's takes its payload with it."""
    settled_places: tuple[Place, ...] = ()
    """Leftovers that are dealt with."""
    held: Held | None = None
    """The order leaves the ledger for this hold. Any other settlement without `again` takes it out of its hold."""
    warnings: tuple[Suspicion, ...] = ()
    """Remembered as of now, with the entry's key."""


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
    missed: int = 0
    """Orders found without a checkpoint."""
    changed: int = 0
    """Orders found to differ from their checkpoint."""
    extra: int = 0
    """Checkpoints found without an order in the mapping."""
    held: int = 0
    """Of these, how many wait for approval since."""


@dataclass(frozen=True, slots=True)
class Known:
    """What is remembered about some orders, by key."""

    checkpoints: Mapping[OrderKey, Checkpoint]
    dead_letters: Mapping[OrderKey, DeadLetter]
    leftovers: Mapping[OrderKey, tuple[Place, ...]] = field(default_factory=dict)
    held: Mapping[OrderKey, Held] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Tally:
    """Counts for metrics and status. `affected` and `oldest_since` take in what a hold gathers, not what it holds."""

    affected: int
    lookups: int
    oldest_since: float | None
    checkpoints: int
    missing: int
    dead_letters: Mapping[str, int]
    held: int = 0
    """Orders in holds that wait for a person."""
    holds: int = 0
    """Holds that wait for a person."""
    warnings: Mapping[str, int] = field(default_factory=dict)
    """Orders by WarningKind."""


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

    def cancelled(self, payload: bytes, place: Place, now: float) -> Order | None:
        """A payload that Redo accepted, as a cancelled order; None when it was one already."""
        ...

    def suspicions(self, before: bytes, after: bytes) -> tuple[Suspicion, ...]:
        """What is suspicious about an order's traits, given those that Redo accepted (empty: nothing is known)."""
        ...

    def line_items(self, traits: bytes) -> frozenset[int]:
        """Hashes of the line item ids, each within the signed 64 bits."""
        ...

    def reused(self, traits: bytes, line_item: int, owner: OrderKey) -> Suspicion:
        """The words for a line item id that another order has."""
        ...

    def changed_fields(self, before: bytes, after: bytes) -> tuple[str, ...]:
        """The top-level fields in which two digests differ; empty when that can't be told."""
        ...


class Redo(Protocol):
    """One request each. Never raises for anything the network or Redo does."""

    async def push(self, order: Order) -> Outcome: ...

    async def delete(self, place: Place) -> Outcome:
        """ACCEPTED with reason `absent` when Redo has no such order."""
        ...

    def serves(self, store_id: str) -> bool:
        """Whether there is a secret for the store."""
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

    async def owners(self, places: Sequence[Place]) -> Mapping[Place, OrderKey]:
        """Which key's checkpoint (not missing) holds each place."""
        ...

    async def line_item_owners(self, line_items: Sequence[int]) -> Mapping[int, tuple[OrderKey, ...]]:
        """Which orders' checkpoints have each line item: two keys at most, which is enough to find another's."""
        ...

    async def payload(self, key: OrderKey, place: Place) -> bytes | None:
        """The body that Redo accepted for an order at a place (its checkpoint's or a leftover), None when none was kept
        or none of the keys opens it."""
        ...

    async def adopt(self, store_id: str) -> None:
        """At start: checkpoints without a store (an older version wrote them) are of this one."""
        ...

    async def open_hold(self, kind: HoldKind, cause: str, now: float) -> Hold:
        """A new hold, gathering. Durable."""
        ...

    async def holds(self) -> list[Hold]:
        """All that hold an order, or are gathering, oldest first."""
        ...

    async def mark_hold(self, number: int, state: HoldState) -> None: ...

    async def summarise(self, number: int, samples: int) -> HoldSummary | None:
        """None when there is no such hold."""
        ...

    async def release(self, number: int, arrival: Arrival, limit: int) -> int:
        """Move up to `limit` orders of a hold into the ledger, as the arrival says (its keys don't count), spread over
        the hold rather than the first ones. Returns how many; a hold that is empty then is gone. Durable."""
        ...

    async def warned(self, limit: int) -> list[Warned]:
        """The latest first."""
        ...

    async def letter_groups(self) -> list[LetterGroup]:
        """Dead letters by reason and cause, the largest group first."""
        ...

    async def letter_keys(self, group: str | None, after: OrderKey | None, limit: int) -> list[OrderKey]:
        """Keys of the dead letters of a group, or of all, in key order."""
        ...

    async def sweeps(self, limit: int) -> list[Sweep]:
        """Finished sweeps, the latest first. `save_sweep` of a finished one adds it; the store keeps some hundreds."""
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

    async def recover(self, *, late_until: float | None = None) -> int:
        """At start: what was in flight when the process died must be confirmed, and may still land until `late_until`.
        Returns the highest revision used."""
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

    def removed(self, action: str) -> None:
        """An order that left the mapping was dealt with at Redo: `cancelled`, `deleted`."""
        ...

    def warned(self, kind: str) -> None:
        """A WarningKind arose."""
        ...

    def sync_latency(self, seconds: float) -> None: ...

    def assembled(self, seconds: float, keys: int) -> None: ...

    def retry(self, reason: str) -> None: ...

    def swept(self, kind: SweepKind, orders: int) -> None: ...

    def drift(self, kind: str) -> None:
        """A reconcile found an order `missed`, `changed` or `extra`."""
        ...
