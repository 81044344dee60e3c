"""Whatever arrives, is taken and is settled, in whatever order: the ledger answers as a model in plain Python says,
which shares no line with the store."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import ClassVar

import pytest
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, rule

from connector.checkpoints.opening import in_memory, in_postgres
from connector.checkpoints.store import Checkpoints
from connector.model.orders import OrderKey
from connector.pipeline.ports.entries import OTHERS_SHARE, Again, Arrival, Entry, Lane
from connector.pipeline.ports.records import Checkpoint, Settlement
from tests.support.fix_checkpoints import emptied
from tests.support.fixtures.postgres import Database
from tests.support.ledger import entries_taken

AT_ONCE = 0.001
ALL = [OrderKey(name) for name in "abcd"]
KEYS = st.sampled_from(ALL)
LANES = st.sampled_from(Lane)
MOMENTS = st.integers(1, 50).map(float)
AGAINS = st.builds(
    Again,
    due=MOMENTS,
    attempts=st.integers(0, 2),
    confirm=st.booleans(),
    late_until=st.none() | MOMENTS,
    approved=st.booleans(),
    since=st.none() | MOMENTS,
) | MOMENTS.map(lambda late: Again(late, 0, confirm=False, late_until=late, since=late))


@dataclass
class Waiting:
    """One order. `newer`: what arrived while it was in flight, as one entry."""

    entry: Entry
    due: float = 0.0
    in_flight: bool = False
    newer: Entry | None = None

    def arrived(self, entry: Entry) -> None:
        self.entry = joined(self.entry, entry)
        self.due = max(AT_ONCE, min(self.due, entry.since)) if self.entry.attempts else 0.0
        if self.in_flight:
            self.newer = entry if self.newer is None else joined(self.newer, entry)

    def taken(self) -> Entry:
        self.in_flight, self.newer = True, None
        return self.entry

    def settled(self, entry: Entry) -> bool:
        """Whether something is left."""
        newer, self.newer, self.in_flight = self.newer, None, False
        if newer is None and self.entry.revision <= entry.revision:
            return False
        self.entry = replace(
            self.entry,
            first_revision=entry.revision + 1 if newer is None else newer.first_revision,
            since=self.entry.since if newer is None else newer.since,
            attempts=0,
            confirm=newer is not None and newer.confirm,
            approved=newer is not None and newer.approved,
        )
        self.due = 0.0
        return True

    def put_back(self, again: Again) -> None:
        newer, self.newer, self.in_flight = self.newer, None, False
        arrived = [] if newer is None else [newer.since]
        self.entry = replace(
            self.entry,
            since=self.entry.since if again.since is None else min([again.since, *arrived]),
            attempts=again.attempts,
            confirm=again.confirm or (newer is not None and newer.confirm),
            late_until=again.late_until,
            approved=again.approved or (newer is not None and newer.approved),
        )
        if again.attempts:
            self.due = max(AT_ONCE, min([again.due, *arrived]))
        else:
            self.due = again.due if newer is None else 0.0

    def hastened(self, most: int) -> None:
        if self.entry.attempts:
            self.due = min(self.due, AT_ONCE) if self.entry.attempts <= most else self.due
        elif self.due != self.entry.late_until:
            self.due = 0.0

    def recovered(self, late_until: float | None) -> None:
        if self.in_flight:
            late = [moment for moment in (self.entry.late_until, late_until) if moment is not None]
            self.entry = replace(self.entry, confirm=True, late_until=max(late, default=None))
            self.in_flight, self.newer = False, None


def joined(one: Entry, other: Entry) -> Entry:
    return replace(
        one,
        first_revision=min(one.first_revision, other.first_revision),
        revision=max(one.revision, other.revision),
        since=min(one.since, other.since),
        lane=min(one.lane, other.lane),
        confirm=one.confirm or other.confirm,
        approved=one.approved or other.approved,
    )


def assert_others_have_no_more_than_their_share(found: Sequence[Entry], limit: int, left: Sequence[Lane]) -> None:
    """A live change is left only when all but the others' share are live, another one only when it has its share."""
    others = sum(entry.lane is not Lane.LIVE for entry in found)
    share = max(limit // OTHERS_SHARE, 1 if limit > 1 else 0)
    if Lane.LIVE in left:
        assert others <= share
    if any(lane is not Lane.LIVE for lane in left):
        assert others >= share


class Ledger(RuleBasedStateMachine):
    def __init__(self) -> None:
        super().__init__()
        self.runner = asyncio.Runner()
        self.store = self.opened()
        self.model: dict[OrderKey, Waiting] = {}
        self.accepted: dict[OrderKey, bytes] = {}
        self.taken: dict[OrderKey, Entry] = {}
        self.revision = 0

    def opened(self) -> Checkpoints:
        return in_memory()

    def teardown(self) -> None:
        self.runner.run(self.store.close())
        self.runner.close()

    @rule(
        arriving=st.lists(st.tuples(st.frozensets(KEYS, min_size=1), LANES, MOMENTS), min_size=1, max_size=3),
        older=st.integers(0, 3),
        confirm=st.booleans(),
        approved=st.booleans(),
    )
    def arrive(
        self, arriving: list[tuple[frozenset[OrderKey], Lane, float]], older: int, *, confirm: bool, approved: bool
    ) -> None:
        arrivals = []
        for keys, lane, since in arriving:
            self.revision += 1
            first = max(0, self.revision - older)
            arrivals.append(Arrival(self.revision, since, lane, keys, frozenset(), first, confirm, approved))
            for key in keys:
                entry = Entry(key, first, self.revision, since, lane, 0, confirm, None, approved)
                if key in self.model:
                    self.model[key].arrived(entry)
                else:
                    self.model[key] = Waiting(entry)
        self.runner.run(self.store.arrive(arrivals, []))

    @rule(now=MOMENTS, lanes=st.sets(LANES, min_size=1), limit=st.integers(1, 5), failing=st.booleans())
    def take(self, now: float, lanes: set[Lane], limit: int, *, failing: bool) -> None:
        taking = entries_taken(self.store, limit, now, frozenset(self.taken), sorted(lanes), failing=failing)
        found = self.runner.run(taking)
        free = {
            key: waiting
            for key, waiting in self.model.items()
            if key not in self.taken and waiting.entry.lane in lanes
            if waiting.due <= now and (waiting.entry.attempts > 0) is failing
        }
        assert len(found) == min(limit, len(free))
        # Of more than a limit those that wait longest: never delayed by revision, the others by when they fell due.
        left = [free[key] for key in free.keys() - {entry.key for entry in found}]
        for entry in found:
            waiting = free[entry.key]
            if failing:
                assert all(waiting.due <= other.due for other in left)
            elif waiting.due == 0:
                before, live = (entry.lane, entry.revision), entry.lane is Lane.LIVE
                beside = [one for one in left if one.due == 0 and (one.entry.lane is Lane.LIVE) is live]
                assert all(before <= (one.entry.lane, one.entry.revision) for one in beside)
            assert entry == waiting.taken()
            self.taken[entry.key] = entry
        if not failing:
            assert_others_have_no_more_than_their_share(found, limit, [one.entry.lane for one in left])
            assert [entry.lane for entry in found] == sorted(entry.lane for entry in found)

    @rule(data=st.data())
    def settle(self, data: st.DataObject) -> None:
        settlements = []
        for key in sorted(data.draw(st.sets(st.sampled_from(sorted(self.taken)))) if self.taken else ()):
            entry, again = self.taken.pop(key), data.draw(st.none() | AGAINS)
            if again is not None:
                self.model[key].put_back(again)
                settlements.append(Settlement(entry, again=again))
            else:
                if not self.model[key].settled(entry):
                    del self.model[key]
                self.accepted[key] = f"{entry.revision}".encode()
                settlements.append(Settlement(entry, Checkpoint(key, key, self.accepted[key], 1.0)))
        self.runner.run(self.store.settle(settlements))

    @rule(most_attempts=st.sampled_from([None, 1]))
    def hasten(self, most_attempts: int | None) -> None:
        for waiting in self.model.values():
            waiting.hastened(99 if most_attempts is None else most_attempts)
        self.runner.run(self.store.hasten(most_attempts))

    @rule(late_until=st.none() | MOMENTS)
    def crash(self, late_until: float | None) -> None:
        for waiting in self.model.values():
            waiting.recovered(late_until)
        assert self.runner.run(self.store.recover(late_until=late_until)) == self.revision
        self.taken = {}

    @invariant()
    def as_the_model_says(self) -> None:
        busy = frozenset(self.taken)
        for failing in (False, True):
            dues = [
                waiting.due
                for key, waiting in self.model.items()
                if key not in busy and (waiting.entry.attempts > 0) is failing
            ]
            assert self.runner.run(self.store.next_due(busy, failing=failing)) == min(dues, default=None)
        late = [one.entry.late_until for one in self.model.values() if one.entry.late_until is not None]
        assert self.runner.run(self.store.late_until()) == max(late, default=None)
        tally = self.runner.run(self.store.tally())
        since = [waiting.entry.since for waiting in self.model.values() if waiting.entry.attempts < 2]
        assert (tally.affected, tally.oldest_since) == (len(self.model), min(since, default=None))
        known = self.runner.run(self.store.known(ALL)).checkpoints
        assert {key: one.fingerprint for key, one in known.items()} == self.accepted


Ledger.TestCase.settings = settings(
    max_examples=40, stateful_step_count=30, deadline=None, suppress_health_check=[HealthCheck.too_slow]
)
TestLedger = Ledger.TestCase


class LedgerInPostgres(Ledger):
    database: ClassVar[Database]

    def opened(self) -> Checkpoints:
        return in_postgres(emptied(self.database))


LedgerInPostgres.TestCase.settings = settings(Ledger.TestCase.settings, max_examples=5, stateful_step_count=25)
TestLedgerInPostgres = pytest.mark.server(pytest.mark.usefixtures("given_a_database")(LedgerInPostgres.TestCase))


@pytest.fixture
def given_a_database(checkpoint_database: Database) -> None:
    LedgerInPostgres.database = checkpoint_database
