"""The checkpoint store in memory: the same behaviour for as long as the process lives.

For tests and trials. It passes the contract suite of the SQLite store, whose comments give the reasons. Looking for the
next entries costs time in proportion to the ledger.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence

from connector.checkpoints.accepted import forgetting
from connector.checkpoints.memory_accepted import AcceptedRows
from connector.checkpoints.memory_endpoints import EndpointRows
from connector.checkpoints.memory_holds import HoldRows
from connector.checkpoints.memory_ledger import LedgerRows
from connector.checkpoints.memory_letters import LetterRows, WarningRows
from connector.checkpoints.memory_membership import MemberSets
from connector.checkpoints.memory_walks import WalkRows
from connector.checkpoints.payloads import refuse_unsealed
from connector.checkpoints.progress import SWEEPS_KEPT
from connector.checkpoints.vault import Vault
from connector.model.orders import Members, OrderKey, Place, former, is_former
from connector.pipeline.heartbeat import Heartbeat
from connector.pipeline.ports.entries import Arrival, Commit, Entry, Lane, PendingLookup
from connector.pipeline.ports.holds import Hold, HoldKind, HoldState, HoldSummary
from connector.pipeline.ports.records import (
    DeadLetter,
    Endpoint,
    Known,
    LetterGroup,
    Rebinding,
    Settlement,
    Sweep,
    Tally,
    Venture,
    Warned,
)


class MemoryCheckpoints:
    """`pipeline.ports.store.CheckpointStore` in dictionaries."""

    def __init__(self, vault: Vault | None = None, clock: Callable[[], float] = time.time) -> None:
        self.heartbeat = Heartbeat("checkpoint store", "reading and writing memory")
        self._vault = vault
        self._clock = clock
        self._ledger = LedgerRows()
        self._walks = WalkRows()
        self._accepted = AcceptedRows(vault)
        self._letters = LetterRows()
        self._warnings = WarningRows()
        self._holds = HoldRows()
        self._members = MemberSets()
        self._endpoints = EndpointRows(self._accepted, self._letters)
        self._unseen: dict[int, Commit] = {}
        self._notes: dict[str, str] = {}
        self._sweep: Sweep | None = None
        self._finished: dict[tuple[int, float], Sweep] = {}
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
        self._ledger.arrive(arrival)
        self._walks.arrive(arrival)

    async def take(
        self, limit: int, now: float, busy: frozenset[OrderKey], lanes: Sequence[Lane], *, failing: bool = False
    ) -> list[Entry]:
        return self._ledger.take(limit, now, busy, lanes, failing=failing)

    async def settle(self, settlements: Sequence[Settlement]) -> None:
        refuse_unsealed(settlements, self._vault)
        for settlement in settlements:
            self._holds.settle(settlement)
            self._ledger.settle(settlement)
            self._accepted.settle(settlement)
            self._letters.settle(settlement)
            self._warnings.settle(settlement, self._clock())
            if settlement.members is not None:
                self._members.replace(settlement.entry.key, settlement.members)
        for key in self._accepted.displaced(settlements):
            self._accepted.settle(forgetting(key))
            self._members.replace(key, {})

    async def venture(self, ventures: Sequence[Venture]) -> None:
        refuse_unsealed(ventures, self._vault)
        for venture in ventures:
            self._accepted.venture(venture)

    async def hasten(self, most_attempts: int | None = None) -> None:
        self._ledger.hasten(most_attempts)

    async def known(self, keys: Sequence[OrderKey]) -> Known:
        checkpoints = self._accepted.checkpoints
        return Known(
            {key: checkpoints[key] for key in keys if key in checkpoints},
            self._letters.of_keys(keys),
            self._accepted.leftovers(keys),
            self._holds.of_keys(keys),
        )

    async def owners(self, places: Sequence[Place]) -> Mapping[Place, tuple[OrderKey, ...]]:
        return self._accepted.owners(places)

    async def line_item_owners(self, line_items: Sequence[int]) -> Mapping[int, tuple[OrderKey, ...]]:
        return self._accepted.line_item_owners(line_items)

    async def payload(self, key: OrderKey, place: Place) -> bytes | None:
        return self._accepted.payload(key, place)

    async def adopt(self, store_id: str) -> None:
        self._accepted.adopt(store_id)

    async def endpoints(self) -> list[Endpoint]:
        return self._endpoints.all()

    async def doubt_parked(self) -> None:
        self._endpoints.doubt()

    async def approve_endpoints(self) -> None:
        self._endpoints.approve()

    async def rebind(self, rebinding: Rebinding) -> None:
        active, wanted = self._endpoints.active(), set(rebinding.urls.items())
        if active == wanted:
            return
        doubtful = self._ledger.doubtful(in_flight=True) | self._holds.doubtful()
        for endpoint in active - wanted:
            parked = self._endpoints.leave(
                endpoint, lambda keys: keys if rebinding.doubted else doubtful.intersection(keys)
            )
            self._warnings.forget(parked)
        late = set[OrderKey]()
        for endpoint in sorted(wanted - active):
            late |= self._endpoints.come(endpoint, approved=rebinding.approved)
        if active:
            self._start_anew(rebinding, late)
        self._highest = max(self._highest, rebinding.requeue.revision)
        if rebinding.sweep is not None:
            await self.save_sweep(rebinding.sweep)

    def _start_anew(self, rebinding: Rebinding, late: set[OrderKey]) -> None:
        self._ledger.start_anew()
        for key in [*late, *self._accepted.remaining()]:
            self._ledger.put_back(rebinding.requeue, key, rebinding.requeue.since, confirm=False)
        for key, held in self._holds.end_all():
            self._ledger.put_back(rebinding.requeue, key, held.since, confirm=True)
        self._ledger.late(late, rebinding.late_until)
        self._letters.forget_nameless()
        self._finished.clear()

    async def open_hold(self, kind: HoldKind, cause: str, now: float) -> Hold:
        return self._holds.open(kind, cause, now)

    async def holds(self) -> list[Hold]:
        return self._holds.all()

    async def mark_hold(self, number: int, state: HoldState) -> None:
        self._holds.mark(number, state)

    async def summarise(self, number: int, samples: int) -> HoldSummary | None:
        return self._holds.summarise(number, samples)

    async def release(self, number: int, arrival: Arrival, limit: int) -> int:
        self._highest = max(self._highest, arrival.revision)
        return self._holds.release(number, arrival, limit, self._ledger)

    async def warned(self, limit: int) -> list[Warned]:
        return self._warnings.latest(limit)

    async def letter_groups(self) -> list[LetterGroup]:
        return self._letters.groups()

    async def letter_keys(self, group: str | None, after: OrderKey | None, limit: int) -> list[OrderKey]:
        return self._letters.keys(group, after, limit)

    async def sweeps(self, limit: int) -> list[Sweep]:
        return self._latest()[:limit]

    async def take_lookups(self, limit: int, *, wide: bool) -> list[PendingLookup]:
        return self._walks.oldest(limit, begun=wide)

    async def enroll(self, members: Mapping[OrderKey, Members]) -> None:
        self._members.enroll(members)

    async def enrolled(self, index: str, rows: Sequence[str], after: OrderKey | None, limit: int) -> list[OrderKey]:
        return self._members.enrolled(index, rows, after, limit)

    async def forget_indexes(self, keep: frozenset[str]) -> None:
        self._members.keep(keep)

    async def resolved(self, lookups: Sequence[PendingLookup], arrival: Arrival | None, cursor: str | None) -> None:
        self._walks.resolved(lookups, cursor)
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
        if sweep.finished_at is not None:
            self._finished[sweep.revision, sweep.started_at] = sweep
            for old in self._latest()[SWEEPS_KEPT:]:
                del self._finished[old.revision, old.started_at]

    def _latest(self) -> list[Sweep]:
        return sorted(
            self._finished.values(),
            key=lambda sweep: (sweep.finished_at or 0.0, sweep.revision, sweep.started_at),
            reverse=True,
        )

    async def page_checkpoints(self, after: OrderKey | None, limit: int) -> list[OrderKey]:
        return self._accepted.page(after, limit)

    async def late_until(self) -> float | None:
        return self._ledger.late_until()

    async def retire_all(self, shape: int) -> None:
        self._accepted.found(self._clock())
        await self.retire([key for key in self._accepted.checkpoints if not is_former(key)], shape)
        for rows in (self._ledger, self._letters, self._holds, self._walks):
            rows.forget()
        self._members.keep(frozenset())

    async def retire(self, keys: Sequence[OrderKey], shape: int) -> None:
        self._accepted.found(self._clock(), keys)
        doubtful = self._ledger.doubtful(in_flight=False) | self._holds.doubtful()
        self._accepted.doubt(doubtful.intersection(keys))
        for key in keys:
            self._rename(key, former(key, shape))

    def _rename(self, was: OrderKey, now: OrderKey) -> None:
        self._accepted.rename(was, now)
        self._warnings.rename(was, now)
        self._letters.forget(was)
        self._holds.forget(was)

    async def take_over(self, claims: Mapping[OrderKey, Place], busy: frozenset[OrderKey]) -> frozenset[OrderKey]:
        taken = set()
        for key, place in claims.items():
            there = [one for one in self._accepted.former_at(place) if one not in busy]
            there = [one for one in there if self._ledger.late_until(one) is None]
            if there and key not in self._accepted.checkpoints:
                self._rename(there[0], key)
                self._ledger.forget(there[0])
                taken.add(key)
        return frozenset(taken)

    async def recover(self, *, late_until: float | None = None) -> int:
        self._ledger.recover(late_until)
        return self._highest

    async def note(self, name: str, value: str) -> None:
        self._notes[name] = value

    async def noted(self, name: str) -> str | None:
        return self._notes.get(name)

    async def tally(self) -> Tally:
        holds = self._holds.all()
        gathering = [hold.orders for hold in holds if hold.state is HoldState.GATHERING]
        held = [hold.orders for hold in holds if hold.state is HoldState.HELD]
        moments = [*self._ledger.moments(), *self._walks.moments(), *self._holds.moments()]
        return Tally(
            affected=len(self._ledger) + sum(gathering),
            lookups=len(self._walks),
            oldest_since=min(moments, default=None),
            checkpoints=len(self._accepted.checkpoints),
            missing=sum(c.missing for c in self._accepted.checkpoints.values()),
            dead_letters=self._letters.counts(),
            held=sum(held),
            holds=len(held),
            warnings=self._warnings.counts(),
        )

    async def dead_letters(self, after: OrderKey | None, limit: int) -> list[DeadLetter]:
        return self._letters.page(after, limit)

    async def next_due(self, busy: frozenset[OrderKey], *, failing: bool = False) -> float | None:
        return self._ledger.next_due(busy, failing=failing)

    async def close(self) -> None:
        """Nothing to do."""
