"""Whether a stream goes on from what is remembered: the judgement, without a server."""

from __future__ import annotations

import time
from dataclasses import replace
from typing import cast

import pytest

from connector.checkpoints.opening import in_memory
from connector.checkpoints.store import Checkpoints
from connector.model.changes import Lsn, StreamIdentity, StreamStart, Transaction
from connector.model.orders import OrderKey
from connector.pipeline.holds.vanished_rows import VanishedRows
from connector.pipeline.intake.progress import Gap, Progress
from connector.pipeline.ports.entries import Arrival, Commit, Entry, Lane
from connector.pipeline.ports.protocols import Source
from connector.pipeline.ports.records import Checkpoint, Rebinding, Settlement
from connector.pipeline.read.visibility import Visibility
from connector.pipeline.sweeps.state import OLD_STORE, Sweeps
from connector.status.metrics import Metrics
from tests.support.pipeline_context import context_for_test

HERE = StreamIdentity("7", 1, "shop", "redo_connector")


NO_SOURCE = cast("Source", None)
"""Only what may be removed depends on it."""


class Road:
    """One run of a connector: a Progress and what it acts on. The memory outlives it."""

    def __init__(self, memory: Checkpoints) -> None:
        self.memory = memory
        self.metrics = Metrics()
        context = replace(context_for_test(memory), observer=self.metrics)
        self.visibility = Visibility(memory)
        self.sweeps = Sweeps(context)
        vanished_rows = VanishedRows(context, self.sweeps)
        self.progress = Progress(context, NO_SOURCE, self.sweeps, self.visibility, vanished_rows)

    async def load(self, *, empty: bool = False, made: Gap | None = None, same_stream: bool = True) -> Road:
        await self.sweeps.load()
        await self.visibility.load()
        await self.progress.load(empty=empty, made=made, same_stream=same_stream)
        return self

    @property
    def gap(self) -> Gap | None:
        return None if self.progress.noticed is None else self.progress.noticed.gap


def at(confirmed: int, server: int = 1_000_000, **changes: object) -> StreamStart:
    return StreamStart(replace(HERE, **changes), Lsn(confirmed), Lsn(server))  # type: ignore[arg-type]


def commit(end: int, xid: int = 7, moment: float = 1.0, *, whole: bool = True) -> Transaction:
    return Transaction(xid, Lsn(end - 8), Lsn(end) if whole else None, moment, ())


async def remembered(lsn: int = 500, *batch: Transaction) -> Checkpoints:
    """What a run leaves that was told positions up to `lsn`."""
    memory = in_memory()
    road = await Road(memory).load(empty=True, made=Gap.NEW_SLOT)
    await road.progress.begin(at(100))
    assert road.gap is None
    await road.progress.record(batch)
    await road.progress.remember(Lsn(lsn))
    return memory


async def test_an_empty_store_misses_nothing() -> None:
    road = Road(await remembered())
    assert road.sweeps.current is None


@pytest.mark.parametrize("confirmed", [100, 499, 500])
async def test_a_slot_that_stands_no_further_than_it_was_told_goes_on(confirmed: int) -> None:
    road = await Road(await remembered(500)).load()
    await road.progress.begin(at(confirmed))
    assert road.gap is None
    assert road.sweeps.current is None


@pytest.mark.parametrize(
    ("start", "gap"),
    [
        (at(501), Gap.SLOT_MOVED),
        (at(400, slot="another"), Gap.OTHER_SLOT),
        (at(400, database="another"), Gap.DATABASE),
        (at(400, timeline=2), Gap.TIMELINE),
        (at(400, system="8"), Gap.SYSTEM),
        (at(400, server=499), Gap.HISTORY),
    ],
)
async def test_whatever_else_is_offered_is_a_gap_and_asks_for_a_sweep_first(start: StreamStart, gap: Gap) -> None:
    memory = await remembered(500)
    road = await Road(memory).load()
    await road.progress.begin(start)
    assert road.gap is gap
    sweep = await memory.sweep()
    assert sweep is not None
    assert sweep.finished_at is None
    again = await Road(memory).load()
    await again.progress.begin(start)
    assert again.gap is None, "it is known by now"


async def test_only_a_slot_that_others_moved_makes_every_order_be_pushed() -> None:
    for start, confirming in ((at(501), True), (at(501, timeline=2), False)):
        road = await Road(await remembered(500)).load()
        await road.progress.begin(start)
        assert road.sweeps.current is not None
        assert (road.sweeps.current.cause == OLD_STORE) is confirming


async def test_an_older_copy_says_nothing_reliable_of_other_addresses_either() -> None:
    """The store, and so what is parked in it, is older than what Redo accepted there."""
    for start, reliable in ((at(501), b""), (at(501, timeline=2), b"f")):
        memory, key = await remembered(500), OrderKey("1")
        requeue = Arrival(1, 1.0, Lane.SWEEP)
        await memory.rebind(Rebinding({"eu": "http://one"}, True, requeue))
        entry = Entry(key, 1, 1, 1.0, Lane.LIVE, 0, confirm=False)
        await memory.settle([Settlement(entry, Checkpoint(key, "1", b"f", 1.0, store_id="eu"))])
        await memory.rebind(Rebinding({"eu": "http://two"}, True, requeue))
        road = await Road(memory).load()
        await road.progress.begin(start)
        await memory.rebind(Rebinding({"eu": "http://one"}, True, requeue))
        assert (await memory.known([key])).checkpoints[key].fingerprint == reliable


async def test_a_slot_that_was_made_for_a_known_reason_is_only_compared() -> None:
    road = await Road(await remembered(500)).load()
    road.progress.lost(Gap.SLOT_LOST)
    await road.progress.begin(at(900))
    assert road.gap is Gap.SLOT_LOST
    assert road.sweeps.current is not None
    assert road.sweeps.current.cause != OLD_STORE
    await road.progress.begin(at(901))
    assert road.sweeps.current.cause == OLD_STORE, "the reason was good for one slot"


async def test_a_store_that_knows_orders_but_no_position_is_compared_once() -> None:
    memory = in_memory()
    for expected in (Gap.UNKNOWN, None):
        road = await Road(memory).load()
        await road.progress.begin(at(400))
        assert road.gap is expected


async def test_a_crash_between_a_new_slot_and_its_sweep_is_noticed_at_the_next_start() -> None:
    memory = await remembered(500)
    await Road(memory).load(made=Gap.SLOT_GONE)  # and killed before the stream began
    road = await Road(memory).load()
    await road.progress.begin(at(800))
    assert road.gap is Gap.SLOT_MOVED


async def test_on_another_history_commits_that_no_snapshot_showed_are_forgotten() -> None:
    memory = await remembered(500)
    await memory.arrive([], [Commit(3, 77, 450)])
    road = await Road(memory).load()
    await road.progress.begin(at(400, timeline=2))
    assert len(road.visibility) == 0
    assert await memory.unseen() == []


async def test_on_the_same_history_they_are_not() -> None:
    memory = await remembered(500)
    await memory.arrive([], [Commit(3, 77, 450)])
    road = await Road(memory).load()
    await road.progress.begin(at(501))
    assert len(road.visibility) == 1


@pytest.mark.parametrize(
    ("again", "gap"),
    [
        ([commit(300), commit(400, xid=9), commit(600)], None),
        ([commit(300, whole=False), commit(300), commit(400, xid=9, whole=False), commit(400, xid=9)], None),
        ([commit(300), commit(400, xid=8)], Gap.HISTORY),
        ([commit(400, xid=9, moment=2.0)], Gap.HISTORY),
        ([commit(300), commit(600)], Gap.HISTORY),
        ([commit(300), commit(600, whole=False)], Gap.HISTORY),
        ([commit(300)], None),
    ],
)
async def test_a_stream_that_starts_before_the_latest_transaction_must_bring_it_again(
    again: list[Transaction], gap: Gap | None
) -> None:
    memory = await remembered(500, commit(300), commit(400, xid=9))
    road = await Road(memory).load()
    await road.progress.begin(at(200))
    await road.progress.record(again)
    assert road.gap is gap


async def test_wal_that_passes_the_latest_transactions_place_without_bringing_it_is_another_history() -> None:
    memory = await remembered(500, commit(300), commit(400, xid=9))
    road = await Road(memory).load()
    await road.progress.begin(at(200))
    await road.progress.record([commit(392, xid=9)])
    await road.progress.remember(Lsn(399))
    assert road.gap is None, "it may still come"
    await road.progress.remember(Lsn(400))
    assert road.gap is Gap.HISTORY
    sweep = await memory.sweep()
    assert sweep is not None
    assert sweep.finished_at is None


async def test_a_stream_that_carries_other_tables_than_before_need_not_bring_it() -> None:
    memory = await remembered(500, commit(300), commit(400, xid=9))
    road = await Road(memory).load(same_stream=False)
    await road.progress.begin(at(200))
    await road.progress.record([commit(600)])
    assert road.gap is None


async def test_each_gap_is_counted_by_its_cause_and_dated() -> None:
    road = await Road(await remembered(500)).load()
    before = time.time()
    await road.progress.begin(at(501))
    assert 'redo_connector_stream_gaps_total{cause="slot_moved"} 1.0' in road.metrics.exposition().decode()
    assert road.progress.noticed is not None
    assert road.progress.noticed.at >= before
