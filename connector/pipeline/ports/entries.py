"""What waits in the ledger, and on what: the order, the lookup, the transaction that a snapshot must show.

Records only. Times are seconds since 1970 unless a name says otherwise.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import IntEnum
from typing import Final

from connector.model.orders import Lookup, OrderKey


class Lane(IntEnum):
    """Who goes first: a live change, then what one change of many orders affects, then a sweep (backfill,
    reconcile)."""

    LIVE = 0
    FANOUT = 1
    SWEEP = 2


HANDFUL: Final = 8
"""Orders that one transaction, or one changed row elsewhere, brings as live changes. What affects more lets others
overtake it."""

OTHERS_SHARE: Final = 8
"""Of so many entries that are taken, and of so many requests that are let in, one is of a fan-out or a sweep while any
waits: live changes go first, but never for ever."""


BLAMED = 2
"""Attempts of an order that failed again although Redo accepted others meanwhile."""


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
    none. `approved`: a person, or a bound that was kept, let it pass the guard. `attempts`: 0 when it never failed, or
    succeeded last; 1 when it failed, which says nothing about whose fault it is; from BLAMED on it is the order's.
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
class Room:
    """What may be taken from the ledger: up to `limit` entries of these lanes that are due at `now` and not `busy`.
    `failing`: of those that failed last (attempts above 0), instead of those that never failed or succeeded last."""

    limit: int
    now: float
    busy: frozenset[OrderKey]
    lanes: tuple[Lane, ...]
    failing: bool = False

    @property
    def of_every_lane(self) -> bool:
        return len(self.lanes) == len(Lane)


@dataclass(frozen=True, slots=True)
class PendingLookup:
    """A lookup that waits in the ledger. `cursor`: keys up to it are already in the ledger; None: none yet."""

    lookup: Lookup
    first_revision: int
    revision: int
    since: float
    cursor: str | None


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
