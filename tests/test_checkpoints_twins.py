"""Whatever is asked of them, in whatever order, the SQLite store and the one in memory answer alike."""

from __future__ import annotations

import asyncio
import tempfile
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import TypeVar

from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, rule

from connector.checkpoints.memory import MemoryCheckpoints
from connector.checkpoints.sqlite import SqliteCheckpoints
from connector.orders import Lookup, Members, OrderKey
from connector.pipeline.ports import (
    Again,
    Arrival,
    Checkpoint,
    Commit,
    DeadLetter,
    Entry,
    Lane,
    Memory,
    PendingLookup,
    Settlement,
)

T = TypeVar("T")

KEYS = st.sampled_from([OrderKey(name) for name in "abcde"])
LOOKUPS = st.builds(Lookup, st.sampled_from(["one", "two"]), st.tuples(st.sampled_from(["x", "y", 'z"'])))
LANES = st.sampled_from(Lane)
MOMENTS = st.integers(0, 50).map(float)
ROWS = st.frozensets(st.sampled_from("123"))
MEMBERS = st.dictionaries(st.sampled_from(["item", "payment"]), ROWS)
EVERYTHING = [OrderKey(name) for name in "abcde"]


class Twins(RuleBasedStateMachine):
    def __init__(self) -> None:
        super().__init__()
        self.folder = tempfile.TemporaryDirectory()
        self.runner = asyncio.Runner()
        self.twins: tuple[Memory, Memory] = (
            SqliteCheckpoints(Path(self.folder.name) / "twin.db"),
            MemoryCheckpoints(),
        )
        self.revision = 0
        self.taken: dict[OrderKey, Entry] = {}
        self.lookups: list[PendingLookup] = []

    def teardown(self) -> None:
        self.both(lambda memory: memory.close())
        self.runner.close()
        self.folder.cleanup()

    def both(self, ask: Callable[[Memory], Awaitable[T]]) -> T:
        async def answers() -> tuple[T, T]:
            return await ask(self.twins[0]), await ask(self.twins[1])

        sqlite, memory = self.runner.run(answers())
        assert sqlite == memory
        return sqlite

    def arrival(self, since: float, lane: Lane, keys: frozenset[OrderKey], older: int = 0) -> Arrival:
        self.revision += 1
        return Arrival(self.revision, since, lane, keys, first_revision=max(0, self.revision - older))

    @rule(since=MOMENTS, lane=LANES, keys=st.frozensets(KEYS), lookups=st.frozensets(LOOKUPS), older=st.integers(0, 3))
    def arrive(
        self, since: float, lane: Lane, keys: frozenset[OrderKey], lookups: frozenset[Lookup], older: int
    ) -> None:
        found = self.arrival(since, lane, keys, older)
        asked = Arrival(self.revision, since, lane, lookups=lookups)
        commit = Commit(self.revision, 7, self.revision * 10)
        self.both(lambda memory: memory.arrive([found, asked], [commit]))

    @rule(now=MOMENTS, lanes=st.sets(LANES, min_size=1))
    def take(self, now: float, lanes: set[Lane]) -> None:
        # Always all of them: which of several with one revision come first within a limit is not promised.
        busy = frozenset(self.taken)
        entries = self.both(lambda memory: memory.take(len(EVERYTHING), now, busy, sorted(lanes)))
        self.taken |= {entry.key: entry for entry in entries}

    @rule(data=st.data(), due=MOMENTS, attempts=st.integers(0, 2), confirm=st.booleans(), at=MOMENTS)
    def settle(self, data: st.DataObject, due: float, attempts: int, confirm: bool, at: float) -> None:
        settlements = []
        for key in data.draw(st.sets(st.sampled_from(sorted(self.taken)))) if self.taken else ():
            entry, what = self.taken.pop(key), data.draw(st.sampled_from(["accepted", "missing", "refused", "again"]))
            members = data.draw(st.none() | MEMBERS)
            if what == "again":
                settlements.append(Settlement(entry, again=Again(due, attempts, confirm)))
            elif what == "refused":
                letter = DeadLetter(key, "invalid", "no", ("id",), None, at, at, 1)
                settlements.append(Settlement(entry, dead_letter=letter))
            else:
                checkpoint = Checkpoint(key, f"#{key}", b"1", at, missing=what == "missing", digest=bytes([attempts]))
                settlements.append(Settlement(entry, checkpoint, clear_dead_letter=True, members=members))
        self.both(lambda memory: memory.settle(settlements))

    @rule(members=st.dictionaries(KEYS, MEMBERS))
    def enroll(self, members: dict[OrderKey, Members]) -> None:
        self.both(lambda memory: memory.enroll(members))

    @rule(rows=ROWS, after=st.none() | KEYS, limit=st.integers(1, 3))
    def enrolled(self, rows: frozenset[str], after: OrderKey | None, limit: int) -> None:
        self.both(lambda memory: memory.enrolled("item", sorted(rows), after, limit))

    @rule(keep=st.frozensets(st.sampled_from(["item", "payment"]), min_size=1))
    def forget_indexes(self, keep: frozenset[str]) -> None:
        self.both(lambda memory: memory.forget_indexes(keep))

    @rule(limit=st.integers(1, 4), wide=st.booleans())
    def take_lookups(self, limit: int, wide: bool) -> None:
        self.lookups = self.both(lambda memory: memory.take_lookups(limit, wide=wide))

    @rule(keys=st.frozensets(KEYS), since=MOMENTS, cursor=st.sampled_from([None, "c", "d"]))
    def resolved(self, keys: frozenset[OrderKey], since: float, cursor: str | None) -> None:
        taken, self.lookups = self.lookups, []
        arrival = self.arrival(since, Lane.FANOUT, keys, older=2) if keys else None
        self.both(lambda memory: memory.resolved(taken, arrival, cursor))

    @rule()
    def hasten(self) -> None:
        self.both(lambda memory: memory.hasten())

    @rule()
    def crash(self) -> None:
        assert self.both(lambda memory: memory.recover()) == self.revision
        self.taken, self.lookups = {}, []

    @rule(count=st.integers(0, 3))
    def seen(self, count: int) -> None:
        commits = self.both(lambda memory: memory.unseen())
        self.both(lambda memory: memory.seen([commit.revision for commit in commits[:count]]))

    @invariant()
    def alike(self) -> None:
        busy = frozenset(self.taken)
        self.both(lambda memory: memory.tally())
        self.both(lambda memory: memory.next_due(busy))
        self.both(lambda memory: memory.known(EVERYTHING))
        self.both(lambda memory: memory.page_checkpoints(None, 9))
        self.both(lambda memory: memory.take_lookups(9, wide=False))
        self.both(lambda memory: memory.take_lookups(9, wide=True))
        for index in ("item", "payment"):
            self.both(lambda memory, index=index: memory.enrolled(index, ["1", "2", "3"], None, 9))  # type: ignore[misc]


Twins.TestCase.settings = settings(
    max_examples=30, stateful_step_count=30, deadline=None, suppress_health_check=[HealthCheck.too_slow]
)
TestTwins = Twins.TestCase
