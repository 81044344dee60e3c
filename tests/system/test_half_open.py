"""Connections whose packets are dropped without a word are noticed within a bound of ours, and opened anew."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator
from contextlib import aclosing

import psycopg
import pytest
from psycopg.conninfo import make_conninfo

from connector.model.changes import Image, Interest, TableName
from connector.model.errors import SourceUnavailable
from connector.postgres.bounded import BoundedConnection, NoAnswer
from connector.postgres.connections import KeptConnection
from connector.source.objects.drift import ObjectWatch
from connector.source.objects.slot import SlotWatch
from connector.source.stream.postgres_source import PostgresSource
from tests.support.fault_proxy import FaultProxy, Way
from tests.support.fixtures.connector import eventually
from tests.support.fixtures.postgres import Database
from tests.support.postgres.followed_database import Followed, follow

LOOSE = 20.0
"""Seconds that a loaded machine may take for what should take a few; without a bound it would be for ever."""
NOTES = TableName("public", "notes")
INTEREST: Interest = {NOTES: ("id",)}


@pytest.fixture
async def proxy(database: Database) -> AsyncIterator[FaultProxy]:
    """In front of the database's server."""
    async with FaultProxy("127.0.0.1", database.cluster.port) as made:
        yield made


def through(proxy: FaultProxy, dsn: str) -> str:
    return make_conninfo(dsn, host=proxy.host, port=proxy.port)


@pytest.fixture
def notes(database: Database) -> Followed:
    return follow(database.dsn, f"slot_{database.name}", "CREATE TABLE notes (id int PRIMARY KEY)", "notes")


@pytest.mark.parametrize("way", Way)
async def test_a_round_trip_that_gets_no_answer_ends_by_itself(proxy: FaultProxy, database: Database, way: Way) -> None:
    async with await BoundedConnection.connect(through(proxy, database.dsn), autocommit=True) as conn:
        conn.patience = 0.3
        await conn.execute("SELECT 1")
        proxy.black_hole(way)
        began = time.monotonic()
        with pytest.raises(NoAnswer, match=r"no answer for 0\.3 s"):
            await conn.execute("SELECT 1")
        assert 0.3 <= time.monotonic() - began < 4, "it did not wait for a cancellation that can't arrive"
        assert conn.broken


async def test_a_slow_answer_within_the_bound_is_waited_for(database: Database) -> None:
    async with await BoundedConnection.connect(database.dsn, autocommit=True) as conn:
        conn.patience = LOOSE
        assert await (await conn.execute("SELECT 1 FROM pg_sleep(0.3)")).fetchone() == (1,)
        with pytest.raises(psycopg.errors.DivisionByZero):
            await conn.execute("SELECT 1 / 0")
        assert not conn.broken


async def test_cancelling_in_a_black_hole_does_not_wait_for_the_server(proxy: FaultProxy, database: Database) -> None:
    async with await BoundedConnection.connect(through(proxy, database.dsn), autocommit=True) as conn:
        conn.patience = 0.5
        task = asyncio.create_task(conn.execute("SELECT pg_sleep(60)"))
        await eventually("it sleeps", lambda: _sleeps(database))
        proxy.black_hole()
        began = time.monotonic()
        task.cancel()
        await asyncio.wait([task])
        assert task.cancelled()
        assert time.monotonic() - began < 4


def _sleeps(database: Database) -> bool:
    with database.connect() as conn:
        query = "SELECT count(*) FROM pg_stat_activity WHERE query LIKE 'SELECT pg_sleep%%' AND datname = %s"
        return conn.execute(query, (database.name,)).fetchone() == (1,)


async def test_the_watches_of_slot_and_objects_notice_and_look_again_once_it_is_over(
    proxy: FaultProxy, notes: Followed
) -> None:
    looks = KeptConnection(through(proxy, notes.dsn), within=0.4)
    slot, objects = SlotWatch(looks, notes.name), ObjectWatch(looks, notes.name, notes.name, [NOTES])
    try:
        async with asyncio.timeout(LOOSE):
            assert await slot.report() is not None
            assert not await objects.look()
            proxy.black_hole()
            # They share a connection: who waited for a turn need not find out anew that nobody answers.
            told = await asyncio.gather(slot.report(), objects.look(), slot.report(), return_exceptions=True)
            assert len(set(map(id, told))) == 1
            assert isinstance(told[0], SourceUnavailable)
            assert "no answer" in str(told[0])
            await proxy.heal()
            assert await slot.report() is not None
            assert not await objects.look()
    finally:
        await looks.close()


@pytest.mark.parametrize("way", Way)
async def test_a_half_open_stream_is_given_up_and_the_next_one_brings_what_was_missed(
    proxy: FaultProxy, notes: Followed, way: Way
) -> None:
    source = Followed(through(proxy, notes.dsn), notes.name).source(silence_timeout=0.4)
    async with asyncio.timeout(LOOSE):
        async with aclosing(source.batches(INTEREST)) as batches:
            notes.execute("INSERT INTO notes VALUES (1)")
            [first] = await anext(batches)
            assert first.end_lsn is not None
            source.acknowledge(first.end_lsn)
            proxy.black_hole(way)
            if way is Way.TO_CLIENT:
                notes.execute("INSERT INTO notes VALUES (2)")
            with pytest.raises(SourceUnavailable, match="said nothing"):
                await anext(batches)
        assert not source.position().connected
        if way is Way.TO_SERVER:
            notes.execute("INSERT INTO notes VALUES (2)")
        await proxy.heal()
        assert ("2",) in await _images(source)


async def _images(source: PostgresSource) -> list[Image]:
    """Of the next batch, once the server lets go of the slot."""
    while True:
        try:
            async with aclosing(source.batches(INTEREST)) as batches:
                batch = await anext(batches)
        except SourceUnavailable:
            await asyncio.sleep(0.02)
        else:
            return [image for one in batch for changes in one.changes for image in changes.images]
