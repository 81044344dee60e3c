"""A stop ends in bounded time, whatever a task waits for."""

from __future__ import annotations

import asyncio
from typing import cast

import pytest

from connector.checkpoints.sqlite import file
from connector.checkpoints.sqlite.engine import SqliteEngine
from connector.checkpoints.store import Checkpoints
from connector.model.errors import CheckpointsUnwritable
from connector.model.orders import OrderKey
from connector.pipeline.dispatch.tasks import Tasks
from connector.pipeline.examine.comparer import Comparer
from connector.pipeline.examine.place_claims import PlaceClaims
from connector.pipeline.holds.guard import Guard
from connector.pipeline.ports.entries import Entry, Lane
from connector.pipeline.ports.records import Known
from connector.pipeline.read.reader import Reader
from connector.pipeline.retrying_store import RetryingStore
from connector.pipeline.sweeps.former_keys import FormerKeys
from connector.pipeline.sweeps.second_looks import SecondLooks
from tests.support.pipeline_context import context_for_test

ENTRY = Entry(OrderKey("1"), 1, 1, 50.0, Lane.LIVE, 1, False)


class Unreadable(Checkpoints):
    """As if the file had been moved away."""

    async def known(self, keys: object) -> Known:
        raise CheckpointsUnwritable("it was removed")


class Stuck:
    """A reader whose database doesn't answer."""

    def __init__(self) -> None:
        self.asked = asyncio.Event()

    async def read(self, keys: object, **_: bool) -> None:
        self.asked.set()
        await asyncio.Event().wait()


async def test_a_look_is_given_up_at_once_while_neither_the_oms_nor_the_store_answers() -> None:
    store = RetryingStore(Unreadable(SqliteEngine(file.open_memory())))
    reader = Stuck()
    comparer = Comparer(
        context_for_test(store.port),
        cast("Reader", reader),
        cast("Guard", None),
        cast("PlaceClaims", None),
        cast("FormerKeys", None),
        cast("SecondLooks", None),
    )
    looking = asyncio.create_task(comparer.diff([ENTRY]))
    await reader.asked.wait()
    looking.cancel()
    async with asyncio.timeout(20):
        with pytest.raises(asyncio.CancelledError):
            await looking
    await asyncio.sleep(0)
    assert not store.failing, "nobody asks the store any more"


async def test_what_does_not_end_when_cancelled_keeps_a_stop_for_its_bound_only() -> None:
    over = asyncio.Event()

    async def stubborn() -> None:
        while not over.is_set():
            try:
                await over.wait()
            except asyncio.CancelledError:
                continue

    tasks = Tasks(asyncio.Event())
    tasks.begin(stubborn())
    await asyncio.sleep(0)
    async with asyncio.timeout(20):
        assert await tasks.drain(0.05) == 1
    over.set()
