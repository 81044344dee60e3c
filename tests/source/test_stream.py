"""The stream against real servers."""

from __future__ import annotations

import asyncio
import os
import signal
from collections.abc import AsyncGenerator, Sequence
from contextlib import aclosing

import psycopg
import pytest

from connector.model.changes import (
    UNKNOWN,
    Changes,
    Image,
    Interest,
    Lsn,
    Operation,
    StreamIdentity,
    StreamStart,
    TableName,
    Transaction,
    parse_lsn,
)
from connector.model.errors import ConfigurationError, SlotLost, SourceUnavailable
from connector.source.stream import pgoutput
from connector.source.stream.copyboth import CopyBoth
from connector.source.stream.frames import XLOG_HEADER
from connector.source.stream.postgres_source import PostgresSource
from tests.support.fixtures.postgres import Database, MakeCluster
from tests.support.postgres.followed_database import Followed, eventually, follow
from tests.support.postgres.pgoutput_encoder import AnyMessage, decode_any, encode

DDL = """
CREATE TABLE orders (id int PRIMARY KEY, note text, customer text);
CREATE TABLE lines (id int PRIMARY KEY, order_id int);
CREATE TABLE unrelated (id int);
ALTER TABLE orders ALTER note SET STORAGE EXTERNAL;
"""
ORDERS = TableName("public", "orders")
LINES = TableName("public", "lines")
INTEREST: Interest = {ORDERS: ("id", "customer", "note"), LINES: ("order_id",)}
BIG = "repeat('x', 10000)"

Batches = AsyncGenerator[Sequence[Transaction], None]


@pytest.fixture
def shop(database: Database) -> Followed:
    return follow(database.dsn, f"slot_{database.name}", DDL, "orders, lines")


async def take(batches: Batches, rows: int) -> list[Transaction]:
    """Transactions until they hold that many row changes and the last one is whole."""
    taken: list[Transaction] = []
    while sum(changes.rows for each in taken for changes in each.changes) < rows or taken[-1].end_lsn is None:
        taken += await anext(batches)
    return taken


async def images(shop: Followed, statement: str, rows: int = 1) -> tuple[Image, ...]:
    """What one statement on `orders` looks like in the stream."""
    async with aclosing(shop.source().batches(INTEREST)) as batches:
        shop.execute(statement)
        [transaction] = await take(batches, rows)
    return transaction.changes[0].images


async def test_every_message_of_a_server_decodes_and_encodes_to_the_same_bytes(database: Database) -> None:
    name = f"slot_{database.name}"
    ddl = """
    CREATE TYPE state AS ENUM ('a', 'b');
    CREATE TABLE t (id int PRIMARY KEY, s state, big text);
    CREATE TABLE u (id int);
    ALTER TABLE u REPLICA IDENTITY FULL;
    """
    shop = follow(database.dsn, name, ddl, "t, u")
    with psycopg.connect(shop.dsn, autocommit=True) as conn:
        conn.execute("SELECT pg_replication_origin_create(%s), pg_replication_origin_session_setup(%s)", (name, name))
        conn.execute("INSERT INTO t VALUES (1, 'a', NULL)")
        conn.execute("SELECT pg_replication_origin_session_reset()")
    shop.execute(
        "UPDATE t SET id = 2", "DELETE FROM t", "INSERT INTO u VALUES (1)", "UPDATE u SET id = 2", "TRUNCATE t, u"
    )
    copy = await CopyBoth.connect(shop.dsn, name, [name])
    await copy.start()
    messages: list[AnyMessage] = []
    try:
        while not (len(messages) > 1 and isinstance(messages[-2], pgoutput.Truncate)):
            frame = copy.receive()
            if frame is None:
                await copy.readable()
            elif frame[0] == ord("w") and len(frame) > XLOG_HEADER:
                message = bytes(frame[XLOG_HEADER:])
                messages.append(decode_any(message))
                assert encode(messages[-1]) == message
    finally:
        await copy.close(5)
        shop.execute(f"SELECT pg_replication_origin_drop('{name}')")
    assert {type(message).__name__ for message in messages} == {
        *("Begin", "Commit", "Origin", "Relation", "Type", "Insert", "Update", "Delete", "Truncate")
    }


async def test_a_changed_row_has_its_wanted_columns_as_text(shop: Followed) -> None:
    assert await images(shop, "INSERT INTO orders VALUES (1, NULL, 'é')") == (("1", "é", None),)


async def test_a_row_with_another_primary_key_is_as_if_deleted_and_inserted(shop: Followed) -> None:
    shop.execute("INSERT INTO orders VALUES (1, 'n', 'c')")
    async with aclosing(shop.source().batches(INTEREST)) as batches:
        shop.execute("UPDATE orders SET id = 2")
        transactions = await take(batches, 2)
    assert transactions[-1].changes == (
        Changes(ORDERS, Operation.DELETE, 1, (("1", UNKNOWN, UNKNOWN),)),
        Changes(ORDERS, Operation.INSERT, 1, (("2", "c", "n"),)),
    )


async def test_an_untouched_toast_value_is_unknown_unless_the_whole_old_row_is_sent(shop: Followed) -> None:
    shop.execute(f"INSERT INTO orders VALUES (1, {BIG}, 'c')", "UPDATE orders SET customer = 'd'")
    shop.execute("ALTER TABLE orders REPLICA IDENTITY FULL", "UPDATE orders SET customer = 'e'", "DELETE FROM orders")
    async with aclosing(shop.source().batches(INTEREST)) as batches:
        _, default, full, delete = await take(batches, 4)
    assert default.changes[0].images == (("1", "d", UNKNOWN),)
    assert full.changes[0].images == (("1", "d", "x" * 10000), ("1", "e", "x" * 10000))
    assert delete.changes[0].images == (("1", "e", "x" * 10000),)


async def test_truncating_several_tables_names_each(shop: Followed) -> None:
    async with aclosing(shop.source().batches(INTEREST)) as batches:
        shop.execute("TRUNCATE orders, lines")
        [transaction] = await take(batches, 2)
    assert {(changes.table, changes.operation) for changes in transaction.changes} == {
        (ORDERS, Operation.TRUNCATE),
        (LINES, Operation.TRUNCATE),
    }


async def test_partitions_come_under_their_roots_name(database: Database) -> None:
    name = f"slot_{database.name}"
    ddl = (
        "CREATE TABLE orders (id int PRIMARY KEY, customer text) PARTITION BY RANGE (id);"
        "CREATE TABLE orders_1 PARTITION OF orders FOR VALUES FROM (0) TO (10)"
    )
    shop = follow(database.dsn, name, ddl, "orders WITH (publish_via_partition_root = true)")
    async with aclosing(shop.source().batches({ORDERS: ("id",)})) as batches:
        shop.execute("INSERT INTO orders VALUES (1, 'c')")
        [transaction] = await take(batches, 1)
    assert transaction.changes == (Changes(ORDERS, Operation.INSERT, 1, (("1",),)),)


async def test_a_column_dropped_while_streaming_is_unknown_afterwards(shop: Followed) -> None:
    async with aclosing(shop.source().batches(INTEREST)) as batches:
        shop.execute("INSERT INTO orders VALUES (1, 'n', 'c')", "ALTER TABLE orders DROP note")
        shop.execute("INSERT INTO orders VALUES (2, 'c')")
        transactions = await take(batches, 2)
    assert transactions[-1].changes[0].images == (("2", "c", UNKNOWN),)


async def test_a_transaction_knows_its_xid_its_time_and_its_place_in_the_wal(shop: Followed) -> None:
    with psycopg.connect(shop.dsn) as conn:
        conn.execute("INSERT INTO orders VALUES (1, 'n', 'c')")
        row = conn.execute("SELECT pg_current_xact_id()::text::int8 % 4294967296").fetchone()
    after = shop.ask("SELECT extract(epoch FROM now())::float8")
    end = parse_lsn(shop.ask("SELECT pg_current_wal_lsn()::text"))
    async with aclosing(shop.source().batches(INTEREST)) as batches:
        [transaction] = await take(batches, 1)
    assert row is not None
    assert transaction.xid == row[0]
    assert after - 60 < transaction.commit_time <= after
    assert transaction.end_lsn is not None
    assert transaction.commit_lsn < transaction.end_lsn <= end


async def test_a_transaction_of_200000_rows_is_held_in_bounded_memory(shop: Followed) -> None:
    source = shop.source(buffer=5_000, max_images=500)
    shop.execute("INSERT INTO lines SELECT g, g FROM generate_series(1, 200000) g")
    seen: set[Image] = set()
    async with aclosing(source.batches(INTEREST)) as batches:
        last, filled = None, False
        while last is None:
            batch = await anext(batches)
            held = [sum(len(changes.images) for changes in part.changes) for part in batch]
            assert max(held) <= 500
            assert sum(held) + len(held) <= 5_000 + 501
            seen.update(*(changes.images for part in batch for changes in part.changes))
            last = batch[-1].end_lsn
            assert {part.end_lsn for part in batch[:-1]} <= {None}
            if not filled:
                await eventually(lambda: source.buffered >= 5_000)
                filled = True
    assert len(seen) == 200_000


async def test_flush_follows_the_server_while_only_unrelated_tables_change(shop: Followed) -> None:
    async with aclosing(shop.source(status_interval=0.1).batches(INTEREST)) as batches:
        waiting = asyncio.ensure_future(anext(batches))
        await eventually(lambda: bool(shop.slot("active")))
        shop.execute("INSERT INTO unrelated SELECT generate_series(1, 1000)")
        end = shop.ask("SELECT pg_current_wal_lsn()::text")
        await eventually(lambda: bool(shop.slot(f"confirmed_flush_lsn >= '{end}'")))
        assert not waiting.done()
        waiting.cancel()
        await asyncio.wait([waiting])


async def test_flush_never_passes_a_transaction_that_is_not_acknowledged(shop: Followed) -> None:
    source = shop.source(status_interval=0.1)
    async with aclosing(source.batches(INTEREST)) as batches:
        shop.execute("INSERT INTO orders VALUES (1, 'n', 'c')", "INSERT INTO unrelated SELECT generate_series(1, 1000)")
        [transaction] = await take(batches, 1)
        end = shop.ask("SELECT pg_current_wal_lsn()::text")
        written = (
            f"SELECT bool_and(write_lsn >= '{end}') FROM pg_stat_replication WHERE application_name = 'redo-connector'"
        )
        pid = f" AND pid = {shop.slot('active_pid')}"
        await eventually(lambda: bool(shop.ask(written + pid)))
        assert transaction.end_lsn is not None
        assert parse_lsn(shop.slot("confirmed_flush_lsn::text")) < transaction.end_lsn
        assert source.position().flush_lsn < transaction.end_lsn <= source.position().received_lsn
        source.acknowledge(transaction.end_lsn)
        await eventually(lambda: bool(shop.slot(f"confirmed_flush_lsn >= '{end}'")))


async def test_what_was_acknowledged_does_not_come_again_and_what_was_not_does(shop: Followed) -> None:
    source = shop.source()
    async with aclosing(source.batches(INTEREST)) as batches:
        shop.execute("INSERT INTO orders VALUES (1, 'n', 'c')", "INSERT INTO orders VALUES (2, 'n', 'c')")
        first, _ = await take(batches, 2)
        assert first.end_lsn is not None
        source.acknowledge(first.end_lsn)
    async with aclosing(source.batches(INTEREST)) as batches:
        [again] = await take(batches, 1)
    assert again.changes[0].images == (("2", "c", "n"),)


async def test_a_stuck_consumer_does_not_cost_the_connection(make_cluster: MakeCluster) -> None:
    cluster = make_cluster(settings={"wal_sender_timeout": "2s"})
    shop = follow(cluster.dsn(), "stuck", DDL, "orders, lines")
    shop.execute("INSERT INTO lines SELECT g, g FROM generate_series(1, 300000) g")
    source = shop.source(buffer=100, max_images=50)
    async with aclosing(source.batches(INTEREST)) as batches:
        taken = list(await anext(batches))
        pid = shop.slot("active_pid")
        since = shop.ask("SELECT now()::text")
        later = (
            f"SELECT reply_time > '{since}'::timestamptz + interval '4 s' FROM pg_stat_replication WHERE pid = {pid}"
        )
        await eventually(lambda: bool(shop.ask(later)))
        assert source.buffered <= 100 + 51, "the reader had stopped reading"
        assert shop.slot("active_pid") == pid
        while taken[-1].end_lsn is None:
            taken += await anext(batches)
        assert sum(changes.rows for part in taken for changes in part.changes) == 300_000


async def test_a_terminated_stream_says_so_and_the_next_one_brings_what_was_not_acknowledged(shop: Followed) -> None:
    source = shop.source()
    batches = source.batches(INTEREST)
    shop.execute("INSERT INTO orders VALUES (1, 'n', 'c')")
    first = await take(batches, 1)
    shop.execute(f"SELECT pg_terminate_backend({shop.slot('active_pid')})")
    with pytest.raises(SourceUnavailable, match="57P01"):
        await anext(batches)
    assert not source.position().connected
    await eventually(lambda: not shop.slot("active"))
    async with aclosing(source.batches(INTEREST)) as batches:
        assert await take(batches, 1) == first
        assert source.position().connected


async def test_a_slot_in_use_names_who_holds_it(shop: Followed) -> None:
    shop.execute("INSERT INTO orders VALUES (1, 'n', 'c')")
    async with aclosing(shop.source().batches(INTEREST)) as batches:
        await anext(batches)
        with pytest.raises(SourceUnavailable, match=rf"in use by pid {shop.slot('active_pid')}\b"):
            await anext(shop.source().batches(INTEREST))


async def test_a_missing_slot_or_publication_means_that_the_slot_is_lost(shop: Followed) -> None:
    with pytest.raises(SlotLost, match=r"slot nobody on .*: there is no such slot") as gone:
        await anext(PostgresSource(shop.dsn, "nobody", shop.name).batches(INTEREST))
    assert gone.value.reason == "gone"
    with pytest.raises(SlotLost, match="the publication nothing is gone") as undecodable:
        await anext(PostgresSource(shop.dsn, shop.name, "nothing").batches(INTEREST))
    assert undecodable.value.reason == "undecodable"


class Slow:
    """A journal that remembers only when it may."""

    def __init__(self) -> None:
        self.may = asyncio.Event()
        self.began: list[StreamStart] = []
        self.remembered: list[Lsn] = []

    async def begin(self, start: StreamStart) -> None:
        self.began.append(start)

    async def remember(self, lsn: Lsn) -> None:
        await self.may.wait()
        self.remembered.append(lsn)


async def test_a_journal_is_told_whose_stream_it_is_before_it_starts(shop: Followed) -> None:
    journal = Slow()
    shop.execute("INSERT INTO orders VALUES (1, 'n', 'c')")
    async with aclosing(shop.source().batches(INTEREST, journal)) as batches:
        await take(batches, 1)
    [start] = journal.began
    system = shop.ask("SELECT system_identifier::text FROM pg_control_system()")
    database = shop.ask("SELECT current_database()")
    assert start.identity == StreamIdentity(system, 1, database, shop.name)
    assert start.confirmed <= start.server <= parse_lsn(shop.ask("SELECT pg_current_wal_lsn()::text"))


async def test_the_server_is_never_told_a_position_that_is_not_remembered(shop: Followed) -> None:
    journal, source = Slow(), shop.source(status_interval=0.1, silence_timeout=4.0)
    before = shop.slot("confirmed_flush_lsn::text")
    async with aclosing(source.batches(INTEREST, journal)) as batches:
        shop.execute("INSERT INTO orders VALUES (1, 'n', 'c')")
        [transaction] = await take(batches, 1)
        assert transaction.end_lsn is not None
        source.acknowledge(transaction.end_lsn)
        assert source.position().flush_lsn >= transaction.end_lsn
        heard = source.position().seen_at
        await eventually(lambda: source.position().seen_at > heard)  # status went out, and was answered
        assert shop.slot("confirmed_flush_lsn::text") == before
        journal.may.set()
        end = transaction.end_lsn
        await eventually(lambda: parse_lsn(shop.slot("confirmed_flush_lsn::text")) >= end)
    assert max(journal.remembered) >= parse_lsn(shop.slot("confirmed_flush_lsn::text"))


async def test_an_unreachable_server_is_named_without_the_password() -> None:
    with pytest.raises(SourceUnavailable, match=r"127\.0\.0\.1:1/shop is not available") as caught:
        await anext(PostgresSource("postgresql://me:hunter2@127.0.0.1:1/shop", "s", "p").batches(INTEREST))
    assert "hunter2" not in str(caught.value)


@pytest.mark.parametrize("dsn", ["postgresql://me:hun/ter2@h/db", "postgresql://me:hun@ter2@h/db", "host=h hunter2"])
async def test_an_unreadable_connection_string_is_not_quoted(dsn: str) -> None:
    with pytest.raises(ConfigurationError, match="the connection string can't be read") as caught:
        await anext(PostgresSource(dsn, "s", "p").batches(INTEREST))
    assert "ter2" not in str(caught.value)


async def test_closing_the_iterator_lets_go_of_the_slot_before_it_returns(shop: Followed) -> None:
    shop.execute("INSERT INTO lines SELECT g, g FROM generate_series(1, 50000) g")
    batches = shop.source(buffer=100, max_images=50).batches(INTEREST)
    await anext(batches)
    assert shop.slot("active")
    await batches.aclose()
    assert not shop.slot("active")


async def test_cancelling_the_consumer_lets_go_of_the_slot(shop: Followed) -> None:
    async def consume() -> None:
        async with aclosing(shop.source().batches(INTEREST)) as batches:
            async for _ in batches:
                pass

    task = asyncio.create_task(consume())
    await eventually(lambda: bool(shop.slot("active")))
    task.cancel()
    await asyncio.wait([task])
    assert task.cancelled()
    assert not shop.slot("active")


async def test_a_server_that_falls_silent_is_given_up(make_cluster: MakeCluster) -> None:
    shop = follow(make_cluster().dsn(), "silent", DDL, "orders, lines")
    shop.execute("INSERT INTO orders VALUES (1, 'n', 'c')")
    batches = shop.source(silence_timeout=0.5).batches(INTEREST)
    await anext(batches)
    pid = shop.slot("active_pid")
    os.kill(pid, signal.SIGSTOP)
    try:
        with pytest.raises(SourceUnavailable, match="said nothing"):
            await anext(batches)
    finally:
        os.kill(pid, signal.SIGCONT)


async def test_an_idle_server_that_answers_is_not_given_up(shop: Followed) -> None:
    source = shop.source(silence_timeout=0.3)
    async with aclosing(source.batches(INTEREST)) as batches:
        waiting = asyncio.ensure_future(anext(batches))
        await eventually(lambda: source.position().connected)
        since = source.position().seen_at
        await eventually(lambda: source.position().seen_at > since + 1)
        shop.execute("INSERT INTO orders VALUES (1, 'n', 'c')")
        assert len(await waiting) == 1


async def test_a_server_that_stops_or_dies_is_unavailable_and_comes_back(make_cluster: MakeCluster) -> None:
    cluster = make_cluster()
    shop = follow(cluster.dsn(), "dies", DDL, "orders, lines")
    source = shop.source()
    for key, end in enumerate([cluster.stop, cluster.kill]):
        shop.execute(f"INSERT INTO orders VALUES ({key}, 'n', 'c')")
        async with aclosing(source.batches(INTEREST)) as batches:
            await acknowledge_until(source, batches, (str(key), "c", "n"))
            ending = asyncio.create_task(asyncio.to_thread(end))
            with pytest.raises(SourceUnavailable):
                await anext(batches)
        await ending
        with pytest.raises(SourceUnavailable, match="is not available"):
            await anext(source.batches(INTEREST))
        cluster.start()


async def acknowledge_until(source: PostgresSource, batches: Batches, last: Image) -> None:
    """Servers before 17 may forget across a restart what was acknowledged: earlier transactions may come again."""
    async for batch in batches:
        for transaction in batch:
            assert transaction.end_lsn is not None
            source.acknowledge(transaction.end_lsn)
        if last in batch[-1].changes[-1].images:
            return
