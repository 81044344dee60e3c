"""What is remembered about orders and sweeps, and what becomes of an order that was looked at.

Records only. Times are seconds since 1970 unless a name says otherwise.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Final

from connector.model.orders import Members, OrderKey, Place, Suspicion
from connector.pipeline.ports.entries import Again, Arrival, Entry
from connector.pipeline.ports.holds import Held

FAILING, SET_ASIDE = "failing", "set_aside"
"""Reasons of dead letters of orders that Redo fails again and again: one that waits in the ledger and is still tried,
and one that a person set aside."""

UNKNOWN: Final = b""
"""The fingerprint and digests of what isn't known: equal to no order's."""


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
    traits: bytes = b""
    """`Order.traits` of what was accepted; empty when they aren't known."""
    row_digest: bytes = UNKNOWN
    """Of the row and child rows of which the accepted order was made, whose member rows are in the reverse index."""

    def is_of(self, row_digest: bytes) -> bool:
        """Whether Redo holds the order that is made of the row with this digest."""
        known = row_digest != UNKNOWN and self.fingerprint != UNKNOWN
        return known and not self.missing and self.row_digest == row_digest

    @property
    def place(self) -> Place:
        return Place(self.store_id, self.order_id)


@dataclass(frozen=True, slots=True)
class DeadLetter:
    """An order refused for good until it changes or a person redrives it. `fingerprint` of the refused payload, None
    when there was none to send. `reason`: `rejected`, `invalid`, `mapping`, `duplicate`, `removal`, `set_aside`; or
    `failing`, of an order that waits in the ledger still. No values in `message`. `cause`: field path without list
    indexes, and message: what letters are grouped by. `store_id`: where the order was to go, empty when that isn't
    known or is no store of the settings. `order_id`: its id at Redo, empty when that isn't known."""

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
    store_id: str = ""
    order_id: str = ""


@dataclass(frozen=True, slots=True)
class LetterGroup:
    """Dead letters of one cause. `group` is a short name for it, made of reason and cause. `samples`: some keys.
    `stores`: those of its orders, as far as they are known. `order_ids`: the samples' at Redo, as far as known."""

    group: str
    reason: str
    cause: str
    orders: int
    attempts: int
    first_seen: float
    last_seen: float
    samples: tuple[OrderKey, ...]
    stores: tuple[str, ...] = ()
    order_ids: Mapping[OrderKey, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Warned:
    """A suspicion about an order that was pushed nevertheless. `times`: how often it arose."""

    key: OrderKey
    kind: str
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
    """The body that Redo accepted, to be kept (sealed) with the checkpoint; without a checkpoint, the one that it may
    hold at the first of `leftovers`. None leaves what is there."""
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
    warnings: tuple[Suspicion, ...] | None = None
    """What the order as Redo has it is warned of: remembered in the place of what it was warned of before, events
    apart. None leaves that as it is."""
    displaces: tuple[OrderKey, ...] = ()
    """Orders that are forgotten (checkpoint, payload, line items, members), should their checkpoints be at the place of
    this one's still."""

    @property
    def payload_place(self) -> Place | None:
        """Where the payload belongs."""
        if self.checkpoint is not None:
            return self.checkpoint.place
        return self.leftovers[0] if self.leftovers else None


@dataclass(frozen=True, slots=True)
class Venture:
    """An order is about to be pushed to a place where Redo doesn't have it, and from now on may. `payload`: the body,
    to be kept (sealed); None keeps none."""

    key: OrderKey
    place: Place
    payload: bytes | None = None


class SweepKind(StrEnum):
    BACKFILL = "backfill"
    RECONCILE = "reconcile"


@dataclass(frozen=True, slots=True)
class Sweep:
    """A walk over all orders in key order, resumable. `phase` 0 walks the OMS, 1 the checkpoints and 2 the dead letters
    for orders that left it, 3 the former keys; in 4 all were added to the ledger. `wanted_revision` is above `revision`
    when something asked for another walk since this one began."""

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
    pushed: int = 0
    refused: int = 0
    """Orders that it brought to Redo, and that became dead letters by it."""


@dataclass(frozen=True, slots=True)
class Known:
    """What is remembered about some orders, by key."""

    checkpoints: Mapping[OrderKey, Checkpoint]
    dead_letters: Mapping[OrderKey, DeadLetter]
    leftovers: Mapping[OrderKey, tuple[Place, ...]] = field(default_factory=dict)
    held: Mapping[OrderKey, Held] = field(default_factory=dict)
    members: Mapping[OrderKey, Members] = field(default_factory=dict)
    """What the reverse index holds for them."""


NOTHING_KNOWN = Known({}, {})


@dataclass(frozen=True, slots=True)
class Taken:
    """Entries that were taken from the ledger, and what is known about their orders."""

    entries: Sequence[Entry] = ()
    known: Known = NOTHING_KNOWN


@dataclass(frozen=True, slots=True)
class Tally:
    """Counts for metrics and status. `affected` and `oldest_since` take in what a hold gathers, not what it holds;
    `oldest_since` leaves out orders that fail although Redo accepts others (attempts from BLAMED on)."""

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
    """Orders by the kind of a suspicion."""


@dataclass(frozen=True, slots=True)
class Endpoint:
    """An address and store that orders are pushed to (`active`), or were once. What is remembered of Redo is that of
    the active ones; what the others accepted is parked. `approved`: orders may go there. `orders`: how many it
    accepted."""

    store_id: str
    url: str
    active: bool
    approved: bool
    orders: int

    def __str__(self) -> str:
        return f"{self.url} store {self.store_id}"


@dataclass(frozen=True, slots=True)
class Rebinding:
    """Orders are pushed to other endpoints from now on, the URL by store. `approved`: to those that are new, too.
    `sweep` is stored with it, and `requeue` says how orders come into the ledger about which Redo's answer is open.
    `doubted`: the active endpoints may hold something else than what is remembered, of any order. `late_until`: until
    then a request whose outcome was open when an endpoint was left may be carried out there."""

    urls: Mapping[str, str]
    approved: bool
    requeue: Arrival
    sweep: Sweep | None = None
    doubted: bool = False
    late_until: float | None = None
