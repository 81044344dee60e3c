"""Settlements on their way to the store when the connector is told to stop."""

from __future__ import annotations

import asyncio
import threading
import time
from pathlib import Path

import pytest

from connector.checkpoints.opening import in_file
from connector.model.orders import OrderKey
from connector.pipeline.deliver.group_commit import GroupCommit
from connector.pipeline.deliveries import Settled
from connector.pipeline.ports.entries import Arrival, Lane
from connector.pipeline.ports.records import Settlement
from connector.pipeline.sweeps.state import Sweeps
from tests.support.fixtures.connector import eventually
from tests.support.ledger import entries_taken
from tests.support.pipeline_context import context_for_test, queue_for_test


@pytest.mark.parametrize("begun", [False, True])
async def test_what_became_of_an_order_is_written_though_the_writer_is_cancelled(
    tmp_path: Path, *, begun: bool
) -> None:
    store, written = in_file(tmp_path / "connector.db"), list[Settlement]()
    context = context_for_test(store)
    group_commit = GroupCommit(context, queue_for_test(context), Sweeps(context), [written.extend])
    await store.arrive([Arrival(1, 1.0, Lane.LIVE, frozenset({OrderKey("a")}))], [])
    (entry,) = await entries_taken(store, 1, time.time(), frozenset(), tuple(Lane))
    release = threading.Event()
    busy = asyncio.create_task(store._engine.read(lambda session: release.wait()))
    station = asyncio.create_task(group_commit.step())
    group_commit.settle(Settled(Settlement(entry), None))
    if begun:
        await eventually("the writer has begun", lambda: not group_commit._pending)
    station.cancel()
    await asyncio.gather(station, return_exceptions=True)
    release.set()
    await busy
    await group_commit.flush()
    assert [settlement.entry for settlement in written] == [entry]
    assert (await store.tally()).affected == 0
    await store.close()
