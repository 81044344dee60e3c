"""The ledger of the store in memory: the same answers as the SQL of `ledger`, in a dictionary.

Looking for the next entries costs time in proportion to the ledger.
"""

from __future__ import annotations

import heapq
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace

from connector.checkpoints.ledger import AT_ONCE, MOST_ATTEMPTS
from connector.model.orders import OrderKey
from connector.pipeline.ports.entries import BLAMED, Again, Arrival, Entry, Lane
from connector.pipeline.ports.records import Settlement


@dataclass(slots=True)
class _Waiting:
    """A row of the ledger. `newer_*`: of what arrived while the order was in flight."""

    entry: Entry
    due: float = 0.0
    in_flight: bool = False
    newer_first: int | None = None
    newer_since: float | None = None
    newer_confirm: bool = False
    newer_approved: bool = False

    def rest(self, in_flight: bool = False) -> None:
        self.in_flight = in_flight
        self.newer_first = self.newer_since = None
        self.newer_confirm = self.newer_approved = False

    def merge(self, newer: Entry) -> None:
        entry = self.entry
        self.entry = replace(
            entry,
            first_revision=min(entry.first_revision, newer.first_revision),
            revision=max(entry.revision, newer.revision),
            since=min(entry.since, newer.since),
            lane=min(entry.lane, newer.lane),
            confirm=entry.confirm or newer.confirm,
            approved=entry.approved or newer.approved,
        )
        self.due = max(AT_ONCE, min(self.due, newer.since)) if entry.attempts else 0.0
        if self.in_flight:
            first, since = self.newer_first, self.newer_since
            self.newer_first = newer.first_revision if first is None else min(first, newer.first_revision)
            self.newer_since = newer.since if since is None else min(since, newer.since)
            self.newer_confirm |= newer.confirm
            self.newer_approved |= newer.approved

    def wait(self, again: Again) -> None:
        since = self.entry.since if again.since is None else again.since
        if again.since is not None and self.newer_since is not None:
            since = min(since, self.newer_since)
        self.entry = replace(
            self.entry,
            since=since,
            attempts=again.attempts,
            confirm=again.confirm or self.newer_confirm,
            late_until=again.late_until,
            approved=again.approved or self.newer_approved,
        )
        changed = again.due if self.newer_since is None else min(again.due, self.newer_since)
        if again.attempts:
            self.due = max(AT_ONCE, changed)
        else:
            self.due = again.due if self.newer_first is None else 0.0
        self.rest()

    def outlives(self, settled: Entry) -> bool:
        """Leave the newer part due at once, True; False when there is none."""
        if self.newer_first is None and self.entry.revision <= settled.revision:
            return False
        self.entry = replace(
            self.entry,
            first_revision=settled.revision + 1 if self.newer_first is None else self.newer_first,
            since=self.entry.since if self.newer_since is None else self.newer_since,
            attempts=0,
            confirm=self.newer_confirm,
            approved=self.newer_approved,
        )
        self.due = 0.0
        self.rest()
        return True

    @property
    def only_late(self) -> bool:
        """It isn't backing off, but waits until nothing can land late any more."""
        return self.entry.attempts == 0 and self.due == self.entry.late_until


class LedgerRows:
    """Which orders wait to be looked at."""

    def __init__(self) -> None:
        self._rows: dict[OrderKey, _Waiting] = {}

    def __len__(self) -> int:
        return len(self._rows)

    def moments(self) -> list[float]:
        """Since when each waits that doesn't fail for its own reasons."""
        return [waiting.entry.since for waiting in self._rows.values() if waiting.entry.attempts < BLAMED]

    def arrive(self, arrival: Arrival) -> None:
        for key in arrival.keys:
            self.put_back(arrival, key, arrival.since, confirm=False)

    def put_back(self, arrival: Arrival, key: OrderKey, since: float, *, confirm: bool) -> None:
        """Add an order that was kept elsewhere, as the arrival says, but with its own `since` and `confirm`."""
        first = arrival.revision if arrival.first_revision is None else arrival.first_revision
        entry = Entry(
            key,
            first,
            arrival.revision,
            since,
            arrival.lane,
            0,
            confirm or arrival.confirm,
            approved=arrival.approved,
        )
        if waiting := self._rows.get(key):
            waiting.merge(entry)
        else:
            self._rows[key] = _Waiting(entry)

    def take(
        self, limit: int, now: float, busy: frozenset[OrderKey], lanes: Sequence[Lane], *, failing: bool
    ) -> list[Entry]:
        free = (
            waiting
            for waiting in self._rows.values()
            if waiting.due <= now
            and waiting.entry.lane in lanes
            and waiting.entry.key not in busy
            and (waiting.entry.attempts > 0) == failing
        )
        taken = heapq.nsmallest(limit, free, key=_by_due if failing else _by_lane)
        for waiting in taken:
            waiting.rest(in_flight=True)
        return [waiting.entry for waiting in taken]

    def settle(self, settlement: Settlement) -> None:
        waiting = self._rows.get(settlement.entry.key)
        if waiting is None:
            return
        if settlement.again is not None:
            waiting.wait(settlement.again)
        elif not waiting.outlives(settlement.entry):
            del self._rows[settlement.entry.key]

    def late_until(self, key: OrderKey | None = None) -> float | None:
        """Until when a request of the order, or of any, may still be carried out late."""
        entries = [row.entry for other, row in self._rows.items() if key in (None, other)]
        return max((entry.late_until for entry in entries if entry.late_until is not None), default=None)

    def forget(self, key: OrderKey | None = None) -> None:
        """The order's entry, or all."""
        for one in [*self._rows] if key is None else [key]:
            self._rows.pop(one, None)

    def hasten(self, most_attempts: int | None) -> None:
        most = MOST_ATTEMPTS if most_attempts is None else most_attempts
        for waiting in self._rows.values():
            if waiting.entry.attempts:
                waiting.due = min(waiting.due, AT_ONCE) if waiting.entry.attempts <= most else waiting.due
            elif not waiting.only_late:
                waiting.due = 0.0

    def recover(self, late_until: float | None) -> None:
        for waiting in self._rows.values():
            if waiting.in_flight:
                late = [moment for moment in (waiting.entry.late_until, late_until) if moment is not None]
                waiting.entry = replace(waiting.entry, confirm=True, late_until=max(late, default=None))
                waiting.rest()

    def doubtful(self, *, in_flight: bool) -> set[OrderKey]:
        """Orders of which Redo may hold something else than it accepted last; `in_flight`: those in work too."""
        return {
            key
            for key, waiting in self._rows.items()
            if waiting.entry.confirm or (in_flight and waiting.in_flight) or waiting.entry.late_until is not None
        }

    def late(self, keys: Iterable[OrderKey], until: float | None) -> None:
        """A request for these may be carried out until then."""
        for waiting in (self._rows[key] for key in keys):
            moments = [moment for moment in (waiting.entry.late_until, until) if moment is not None]
            waiting.entry = replace(waiting.entry, late_until=max(moments, default=None))

    def start_anew(self) -> None:
        """Nothing has let orders pass the guard, and none has failed."""
        for waiting in self._rows.values():
            waiting.due = 0.0 if waiting.entry.attempts else waiting.due
            waiting.entry, waiting.newer_approved = replace(waiting.entry, approved=False, attempts=0), False

    def next_due(self, busy: frozenset[OrderKey], *, failing: bool) -> float | None:
        waits = (
            waiting.due
            for key, waiting in self._rows.items()
            if key not in busy and (waiting.entry.attempts > 0) == failing
        )
        return min(waits, default=None)


def _by_lane(waiting: _Waiting) -> tuple[int, int, OrderKey]:
    return waiting.entry.lane, waiting.entry.revision, waiting.entry.key


def _by_due(waiting: _Waiting) -> tuple[float, OrderKey]:
    return waiting.due, waiting.entry.key
