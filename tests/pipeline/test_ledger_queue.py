"""What arrives or is settled is written together with taking what is due."""

from __future__ import annotations

import asyncio
from collections.abc import Collection, Sequence
from dataclasses import dataclass, field
from random import Random

import pytest

from connector.checkpoints.sqlite import file
from connector.checkpoints.sqlite.engine import SqliteEngine
from connector.checkpoints.store import Checkpoints
from connector.model.orders import OrderKey
from connector.pipeline.context import Context
from connector.pipeline.dispatch.backpressure import Backpressure
from connector.pipeline.dispatch.ledger_queue import LedgerQueue
from connector.pipeline.ports.entries import Again, Arrival, Commit, Entry, Lane, Room
from connector.pipeline.ports.records import Settlement, Sweep, Taken
from connector.pipeline.read.read_pause import ReadPause
from tests.support.pipeline_context import context_for_test

A, B = OrderKey("a"), OrderKey("b")


class SlowStore(Checkpoints):
    """Every call gives the loop to others before and after it is carried out. `calls` counts them."""

    def __init__(self) -> None:
        self.connection = file.open_memory()
        super().__init__(SqliteEngine(self.connection))
        self.calls: list[str] = []
        self.hops = 3

    async def _hop(self) -> None:
        for _ in range(self.hops):
            await asyncio.sleep(0)

    async def arrive(
        self,
        arrivals: Sequence[Arrival],
        commits: Sequence[Commit],
        sweep: Sweep | None = None,
        room: Room | None = None,
    ) -> Taken:
        self.calls.append("arrive")
        await self._hop()
        taken = await super().arrive(arrivals, commits, sweep, room)
        await self._hop()
        return taken

    async def take(self, room: Room) -> Taken:
        self.calls.append("take")
        await self._hop()
        taken = await super().take(room)
        await self._hop()
        return taken

    async def settle(self, settlements: Sequence[Settlement], room: Room | None = None) -> Taken | None:
        self.calls.append("settle")
        await self._hop()
        taken = await super().settle(settlements, room)
        await self._hop()
        return taken


@dataclass
class Roomy:
    """Room for so many entries at once."""

    context: Context
    most: int = 100

    def room(self, freed: Collection[OrderKey] = ()) -> Room | None:
        busy = self.context.in_work.keys.difference(freed)
        left = self.most - len(busy)
        return Room(left, self.context.clock.now(), busy, tuple(Lane)) if left > 0 else None

    def failing_room(self, *, others: bool) -> Room | None:
        return Room(1, self.context.clock.now(), self.context.in_work.keys, tuple(Lane), failing=True)


@dataclass
class Scene:
    store: SlowStore = field(default_factory=SlowStore)
    most: int = 100

    def __post_init__(self) -> None:
        self.context = context_for_test(self.store)
        self.backpressure = Backpressure(self.context.wake)
        self.queue = LedgerQueue(self.context, ReadPause(self.context.clock), self.backpressure)
        self.in_work: list[Entry] = []
        self.queue.open(Roomy(self.context, self.most), self.examine)

    def examine(self, entries: Sequence[Entry]) -> None:
        for entry in entries:
            assert entry.key not in [one.key for one in self.in_work], "it was taken while it was in work"
        self.in_work += entries

    async def arrive(self, *keys: OrderKey) -> None:
        revision = self.context.revisions.next()
        await self.queue.arrive([Arrival(revision, 1.0, Lane.LIVE, frozenset(keys))], [])

    async def settle(self, *entries: Entry, again: Again | None = None) -> None:
        def written(_: Sequence[Settlement]) -> None:
            self.in_work = [one for one in self.in_work if one not in entries]

        await self.queue.settle([Settlement(entry, again=again) for entry in entries], written)


async def test_what_arrives_is_in_work_after_one_write() -> None:
    scene = Scene()
    await scene.arrive(A, B)
    assert [entry.key for entry in scene.in_work] == [A, B]
    assert scene.store.calls == ["arrive"]
    assert not scene.context.wake.is_set(), "the dispatcher has nothing to do"


async def test_what_was_affected_anew_is_in_work_again_with_the_write_that_settles_it() -> None:
    scene = Scene()
    await scene.arrive(A)
    [first] = scene.in_work
    await scene.arrive(A)
    assert scene.in_work == [first]
    await scene.settle(first)
    [second] = scene.in_work
    assert (second.key, second.revision) == (A, 2)
    assert scene.store.calls == ["arrive", "arrive", "settle"]


async def test_what_is_due_and_could_not_be_taken_after_a_settlement_is_the_dispatchers_to_take() -> None:
    scene = Scene()
    await scene.arrive(A)
    [first] = scene.in_work
    await scene.arrive(A)
    scene.context.wake.clear()
    connection = scene.store.connection
    connection.execute(
        "CREATE TEMP TRIGGER full BEFORE UPDATE OF in_flight ON ledger WHEN NEW.in_flight "
        "BEGIN SELECT RAISE(FAIL, 'disk full'); END"
    )
    drained = asyncio.create_task(scene.backpressure.until_drained())
    await asyncio.sleep(0)
    scene.context.wake.clear()
    await scene.settle(first)
    assert scene.in_work == []
    await asyncio.sleep(0)
    assert not drained.done(), "a sweep isn't over while one of its orders is due"
    assert scene.context.wake.is_set(), "nothing else would ever take it"
    connection.execute("DROP TRIGGER full")
    await scene.queue.take()
    assert [(entry.key, entry.revision) for entry in scene.in_work] == [(A, 2)]
    await asyncio.sleep(0)
    assert drained.done()


async def test_what_does_not_fit_is_taken_once_others_are_settled() -> None:
    scene = Scene(most=1)
    await scene.arrive(A, B)
    assert [entry.key for entry in scene.in_work] == [A]
    assert scene.context.wake.is_set(), "more is due: the dispatcher looks"
    scene.context.wake.clear()
    assert await scene.queue.take() is None
    await scene.settle(*scene.in_work)
    assert [entry.key for entry in scene.in_work] == [B]


async def test_what_is_put_back_wakes_the_dispatcher_which_waits_for_its_time() -> None:
    scene = Scene()
    await scene.arrive(A)
    due = scene.context.clock.now() + 1_000.0
    await scene.settle(*scene.in_work, again=Again(due, 0, confirm=False))
    assert scene.context.wake.is_set()
    seconds = await scene.queue.seconds_until_due(usual=True)
    assert seconds is not None
    assert 900.0 < seconds <= 1_000.0


async def test_nothing_is_taken_once_the_queue_is_closed_but_all_is_written() -> None:
    scene = Scene()
    scene.queue.close()
    await scene.arrive(A)
    assert scene.in_work == []
    assert (await scene.store.tally()).affected == 1


@pytest.mark.parametrize("seed", range(20))
async def test_no_order_is_taken_twice_however_arrivals_settlements_and_the_dispatcher_meet(seed: int) -> None:
    scene, random = Scene(most=3), Random(seed)  # noqa: S311
    keys = [OrderKey(str(number)) for number in range(6)]

    async def arriving() -> None:
        for _ in range(40):
            await scene.arrive(*random.sample(keys, 2))
            scene.store.hops = random.randrange(4)

    async def dispatching() -> None:
        for _ in range(60):
            await scene.queue.take()
            await asyncio.sleep(0)

    async def settling() -> None:
        for _ in range(200):
            if scene.in_work:
                await scene.settle(*random.sample(scene.in_work, random.randint(1, len(scene.in_work))))
            await asyncio.sleep(0)

    await asyncio.gather(arriving(), dispatching(), settling())
    while scene.in_work or await scene.queue.take() is None or scene.in_work:
        await scene.settle(*scene.in_work)
    assert (await scene.store.tally()).affected == 0
