"""The checkpoint store in memory: the same behaviour for as long as the process lives.

For tests and trials. It passes the contract suite of the SQLite store, whose comments give the reasons. Looking for the
next entries costs time in proportion to the ledger.
"""

from __future__ import annotations

import heapq
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import islice

import orjson

from connector.checkpoints.memory_membership import MemberSets
from connector.orders import Lookup, Members, OrderKey
from connector.pipeline.ports import (
    Arrival,
    Checkpoint,
    Commit,
    DeadLetter,
    Entry,
    Known,
    Lane,
    PendingLookup,
    Settlement,
    Sweep,
    Tally,
)


@dataclass(slots=True)
class _Waiting:
    """A row of the ledger. `newer_*`: of what arrived while the order was in flight."""

    entry: Entry
    due: float = 0.0
    in_flight: bool = False
    newer_first: int | None = None
    newer_since: float | None = None

    def rest(self, in_flight: bool = False) -> None:
        self.in_flight = in_flight
        self.newer_first = self.newer_since = None

    def merge(self, arrival: Arrival, first: int) -> None:
        entry = self.entry
        self.entry = replace(
            entry,
            first_revision=min(entry.first_revision, first),
            revision=max(entry.revision, arrival.revision),
            since=min(entry.since, arrival.since),
            lane=min(entry.lane, arrival.lane),
        )
        if entry.attempts == 0:
            self.due = 0.0
        if self.in_flight:
            self.newer_first = first if self.newer_first is None else min(self.newer_first, first)
            self.newer_since = arrival.since if self.newer_since is None else min(self.newer_since, arrival.since)

    def outlives(self, settled: Entry) -> bool:
        """Leave the newer part due at once, True; False when there is none."""
        if self.newer_first is None and self.entry.revision <= settled.revision:
            return False
        first = settled.revision + 1 if self.newer_first is None else self.newer_first
        since = self.entry.since if self.newer_since is None else self.newer_since
        self.entry = replace(self.entry, first_revision=first, since=since, attempts=0, confirm=False)
        self.due = 0.0
        self.rest()
        return True


@dataclass(slots=True)
class _Walk:
    """A lookup that waits, and the revision its present walk began with."""

    pending: PendingLookup
    latest_since: float
    revision: int | None = None


class MemoryCheckpoints:
    """`pipeline.ports.Memory` in dictionaries."""

    def __init__(self) -> None:
        self._ledger: dict[OrderKey, _Waiting] = {}
        self._walks: dict[Lookup, _Walk] = {}
        self._checkpoints: dict[OrderKey, Checkpoint] = {}
        self._letters: dict[OrderKey, DeadLetter] = {}
        self._unseen: dict[int, Commit] = {}
        self._notes: dict[str, str] = {}
        self._members = MemberSets()
        self._sweep: Sweep | None = None
        self._highest = 0

    async def arrive(self, arrivals: Sequence[Arrival], commits: Sequence[Commit], sweep: Sweep | None = None) -> None:
        for arrival in arrivals:
            self._add(arrival)
        for commit in commits:
            self._unseen[commit.revision] = commit
            self._highest = max(self._highest, commit.revision)
        if sweep is not None:
            await self.save_sweep(sweep)

    def _add(self, arrival: Arrival) -> None:
        self._highest = max(self._highest, arrival.revision)
        first = arrival.revision if arrival.first_revision is None else arrival.first_revision
        for key in arrival.keys:
            if waiting := self._ledger.get(key):
                waiting.merge(arrival, first)
            else:
                entry = Entry(key, first, arrival.revision, arrival.since, arrival.lane, 0, False)
                self._ledger[key] = _Waiting(entry)
        for lookup in arrival.lookups:
            if walk := self._walks.get(lookup):
                revision = max(walk.pending.revision, arrival.revision)
                since = min(walk.pending.since, arrival.since)
                walk.pending = replace(walk.pending, revision=revision, since=since)
                walk.latest_since = arrival.since
            else:
                pending = PendingLookup(lookup, arrival.revision, arrival.revision, arrival.since, None)
                self._walks[lookup] = _Walk(pending, arrival.since)

    async def take(self, limit: int, now: float, busy: frozenset[OrderKey], lanes: Sequence[Lane]) -> list[Entry]:
        free = (
            waiting.entry
            for waiting in self._ledger.values()
            if waiting.due <= now and waiting.entry.lane in lanes and waiting.entry.key not in busy
        )
        taken = heapq.nsmallest(limit, free, key=lambda entry: (entry.lane, entry.revision, entry.key))
        for entry in taken:
            self._ledger[entry.key].rest(in_flight=True)
        return taken

    async def settle(self, settlements: Sequence[Settlement]) -> None:
        for settlement in settlements:
            key = settlement.entry.key
            if waiting := self._ledger.get(key):
                if again := settlement.again:
                    waiting.entry = replace(waiting.entry, attempts=again.attempts, confirm=again.confirm)
                    waiting.due = again.due
                    waiting.rest()
                elif not waiting.outlives(settlement.entry):
                    del self._ledger[key]
            if settlement.checkpoint is not None:
                self._checkpoints[settlement.checkpoint.key] = settlement.checkpoint
            if settlement.clear_dead_letter:
                self._letters.pop(key, None)
            if letter := settlement.dead_letter:
                earlier = self._letters.get(letter.key)
                self._letters[letter.key] = letter if earlier is None else _joined(earlier, letter)
            if settlement.members is not None:
                self._members.replace(key, settlement.members)

    async def hasten(self) -> None:
        for waiting in self._ledger.values():
            waiting.due = 0.0

    async def known(self, keys: Sequence[OrderKey]) -> Known:
        return Known(
            {key: self._checkpoints[key] for key in keys if key in self._checkpoints},
            {key: self._letters[key] for key in keys if key in self._letters},
        )

    async def owners(self, order_ids: Sequence[str]) -> Mapping[str, OrderKey]:
        wanted = frozenset(order_ids)
        held = [c for c in self._checkpoints.values() if not c.missing and c.order_id in wanted]
        return {c.order_id: c.key for c in sorted(held, key=lambda c: c.key, reverse=True)}

    async def take_lookups(self, limit: int, *, wide: bool) -> list[PendingLookup]:
        waiting = sorted(
            (walk.pending for walk in self._walks.values() if (walk.pending.cursor is not None) is wide),
            key=lambda pending: (pending.first_revision, pending.lookup.route, orjson.dumps(pending.lookup.values)),
        )
        together = (
            pending
            for pending in waiting
            if (pending.lookup.route, pending.cursor) == (waiting[0].lookup.route, waiting[0].cursor)
        )
        return list(islice(together, limit))

    async def enroll(self, members: Mapping[OrderKey, Members]) -> None:
        self._members.enroll(members)

    async def enrolled(self, index: str, rows: Sequence[str], after: OrderKey | None, limit: int) -> list[OrderKey]:
        return self._members.enrolled(index, rows, after, limit)

    async def forget_indexes(self, keep: frozenset[str]) -> None:
        self._members.keep(keep)

    async def resolved(self, lookups: Sequence[PendingLookup], arrival: Arrival | None, cursor: str | None) -> None:
        for taken in lookups:
            walk = self._walks.get(taken.lookup)
            if walk is None:
                continue
            begun = taken.revision if walk.revision is None else walk.revision
            if cursor is not None:
                walk.revision = begun
                walk.pending = replace(walk.pending, cursor=cursor)
            elif walk.pending.revision <= begun:
                del self._walks[taken.lookup]
            else:
                walk.revision = None
                walk.pending = replace(walk.pending, first_revision=begun + 1, since=walk.latest_since, cursor=None)
        if arrival is not None:
            self._add(arrival)

    async def unseen(self) -> list[Commit]:
        return [commit for _, commit in sorted(self._unseen.items())]

    async def seen(self, revisions: Sequence[int]) -> None:
        for revision in revisions:
            self._unseen.pop(revision, None)

    async def sweep(self) -> Sweep | None:
        return self._sweep

    async def save_sweep(self, sweep: Sweep) -> None:
        self._sweep = sweep
        self._highest = max(self._highest, sweep.revision, sweep.wanted_revision)

    async def page_checkpoints(self, after: OrderKey | None, limit: int) -> list[OrderKey]:
        keys = (c.key for c in self._checkpoints.values() if not c.missing and c.key > (after or ""))
        return heapq.nsmallest(limit, keys)

    async def recover(self) -> int:
        for waiting in self._ledger.values():
            if waiting.in_flight:
                waiting.entry = replace(waiting.entry, confirm=True)
                waiting.rest()
        return self._highest

    async def note(self, name: str, value: str) -> None:
        self._notes[name] = value

    async def noted(self, name: str) -> str | None:
        return self._notes.get(name)

    async def tally(self) -> Tally:
        moments = [waiting.entry.since for waiting in self._ledger.values()]
        moments += [walk.pending.since for walk in self._walks.values()]
        return Tally(
            affected=len(self._ledger),
            lookups=len(self._walks),
            oldest_since=min(moments, default=None),
            checkpoints=len(self._checkpoints),
            missing=sum(c.missing for c in self._checkpoints.values()),
            dead_letters=dict(Counter(letter.reason for letter in self._letters.values())),
        )

    async def dead_letters(self, after: OrderKey | None, limit: int) -> list[DeadLetter]:
        return [self._letters[key] for key in sorted(self._letters) if key > (after or "")][:limit]

    async def next_due(self, busy: frozenset[OrderKey]) -> float | None:
        return min((waiting.due for key, waiting in self._ledger.items() if key not in busy), default=None)

    async def close(self) -> None:
        """Nothing to do."""


def _joined(earlier: DeadLetter, letter: DeadLetter) -> DeadLetter:
    return replace(letter, first_seen=earlier.first_seen, attempts=earlier.attempts + letter.attempts)
