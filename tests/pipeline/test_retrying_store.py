"""Calls of the checkpoint store are repeated while it is unwritable."""

from __future__ import annotations

import asyncio

import pytest

from connector.checkpoints.sqlite import file
from connector.checkpoints.sqlite.engine import SqliteEngine
from connector.checkpoints.store import Checkpoints
from connector.model.errors import CheckpointsUnwritable
from connector.pipeline import retrying_store
from connector.pipeline.backoff import Backoff
from connector.pipeline.retrying_store import RetryingStore
from tests.support.fixtures.connector import eventually


class FullDisk(Checkpoints):
    full = True

    def __init__(self) -> None:
        super().__init__(SqliteEngine(file.open_memory()))

    async def note(self, name: str, value: str) -> None:
        if self.full:
            raise CheckpointsUnwritable("the disk is full")
        await super().note(name, value)


@pytest.fixture
def store(monkeypatch: pytest.MonkeyPatch) -> FullDisk:
    monkeypatch.setattr(retrying_store, "STORE_BACKOFF", Backoff(base=0.01, cap=0.01, floor=0.01))
    return FullDisk()


async def test_a_call_waits_until_the_store_can_be_written_and_others_go_on(store: FullDisk) -> None:
    retrying = RetryingStore(store)
    writing = asyncio.create_task(retrying.port.note("a", "1"))
    await eventually("it is said", lambda: retrying.failing)
    assert str(retrying.trouble) == "the disk is full"
    assert await retrying.port.noted("a") is None
    assert retrying.failing, "reading says nothing about writing"
    store.full = False
    await writing
    assert retrying.trouble is None
    assert await retrying.port.noted("a") == "1"


async def test_a_call_that_is_given_up_is_no_trouble_any_more(store: FullDisk) -> None:
    retrying = RetryingStore(store)
    writing = asyncio.create_task(retrying.port.note("a", "1"))
    await eventually("it is said", lambda: retrying.failing)
    writing.cancel()
    await asyncio.gather(writing, return_exceptions=True)
    assert not retrying.failing


async def test_a_start_is_not_repeated_but_what_others_ask_meanwhile_is(store: FullDisk) -> None:
    retrying = RetryingStore(store)
    with retrying.starting():
        asked = asyncio.create_task(retrying.port.note("a", "1"))
        with pytest.raises(CheckpointsUnwritable):
            await retrying.port.note("b", "1")
        await eventually("it is repeated", lambda: retrying.failing)
    store.full = False
    await asked
