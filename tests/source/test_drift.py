"""The OMS's tables change under the stream: what is seen of it, what still arrives, and that no statement of the OMS's
ever fails. On a real server."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import aclosing
from dataclasses import replace

import psycopg
import pytest

from connector.model.changes import UNKNOWN, Changes, Image, Interest, Operation, TableName
from connector.model.errors import SourceUnavailable
from connector.postgres.connections import KeptConnection
from connector.source.objects.drift import Drift, ObjectWatch
from connector.source.objects.object_state import load
from connector.source.objects.publication_pair import inserts_name
from connector.source.objects.setup import ensure, mend
from tests.support.fixtures.connector import Rig
from tests.support.fixtures.connector import eventually as eventually_so
from tests.support.fixtures.postgres import Database
from tests.support.postgres.followed_database import Followed, eventually

ORDERS = TableName("public", "orders")
LINES = TableName("public", "lines")
TABLES = [ORDERS, LINES]
INTEREST: Interest = {ORDERS: ("id", "customer"), LINES: ("order_id",)}
CREATE = "CREATE TABLE lines (id int PRIMARY KEY, order_id int, note text)"


@pytest.fixture
async def shop(database: Database) -> Followed:
    shop = Followed(database.dsn, f"slot_{database.name}")
    shop.execute("CREATE TABLE orders (id int PRIMARY KEY, customer text)", CREATE)
    await ensure(shop.dsn, shop.name, shop.name, TABLES, manage=True)
    return shop


@pytest.fixture
async def looks(shop: Followed) -> AsyncIterator[KeptConnection]:
    made = KeptConnection(shop.dsn)
    yield made
    await made.close()


@pytest.fixture
async def watch(shop: Followed, looks: KeptConnection) -> ObjectWatch:
    """It has looked once."""
    watch = ObjectWatch(looks, shop.name, shop.name, TABLES)
    assert not await watch.look()
    return watch


class Clerk:
    """A client of the OMS that goes on with its work, each statement a commit of its own."""

    def __init__(self, shop: Followed) -> None:
        self._shop = shop
        self._next = 100

    def work(self, table: str = "lines") -> None:
        self._next += 1
        key = self._next
        self._shop.execute(
            f"INSERT INTO {table} (id) VALUES ({key})",
            f"UPDATE {table} SET id = id WHERE id = {key}",
            f"DELETE FROM {table} WHERE id = {key}",
        )


@pytest.fixture
def clerk(shop: Followed) -> Clerk:
    return Clerk(shop)


REPLACE = "CREATE TABLE lines_new (LIKE lines INCLUDING ALL)"
SWAP = "BEGIN; ALTER TABLE lines RENAME TO lines_old; ALTER TABLE lines_new RENAME TO lines; COMMIT"
ANOTHER = Drift(replaced=(LINES,), unpublished=(LINES,), republished=(LINES,), columns_changed=(LINES,))
NEVER_ENDANGERING = {
    "nothing": ("SELECT 1", Drift()),
    "a column added": ("ALTER TABLE lines ADD extra text", Drift(columns_changed=(LINES,))),
    "a route column renamed": ("ALTER TABLE lines RENAME order_id TO ord", Drift(columns_changed=(LINES,))),
    "a route column dropped": ("ALTER TABLE lines DROP order_id", Drift(columns_changed=(LINES,))),
    "a route column retyped": ("ALTER TABLE lines ALTER order_id TYPE bigint", Drift(columns_changed=(LINES,))),
    "the key retyped": ("ALTER TABLE lines ALTER id TYPE bigint", Drift(columns_changed=(LINES,))),
    "dropped and made anew": (f"DROP TABLE lines; {CREATE}", ANOTHER),
    "replaced by rename": (f"{REPLACE}; {SWAP}", ANOTHER),
    "made anew without key": (
        f"DROP TABLE lines; {CREATE.replace(' PRIMARY KEY', '')}",
        replace(ANOTHER, by_insert_only=(LINES,), identity_changed=(LINES,)),
    ),
    "a column renamed there and back": (
        "ALTER TABLE lines RENAME order_id TO ord; ALTER TABLE lines RENAME ord TO order_id",
        Drift(columns_changed=(LINES,)),
    ),
    "values rewritten": (
        "ALTER TABLE lines ALTER note TYPE text USING upper(note)",
        Drift(columns_changed=(LINES,)),
    ),
    "identity FULL": ("ALTER TABLE lines REPLICA IDENTITY FULL", Drift(identity_changed=(LINES,))),
}
NO_NEWS = "ALTER TABLE lines SET (fillfactor = 90); CREATE INDEX ON lines (note); VACUUM FULL lines; ANALYZE lines"


@pytest.mark.parametrize(("ddl", "drift"), NEVER_ENDANGERING.values(), ids=NEVER_ENDANGERING)
async def test_ddl_is_seen_and_the_oms_goes_on_writing_before_and_after_mending(
    shop: Followed, watch: ObjectWatch, clerk: Clerk, ddl: str, drift: Drift
) -> None:
    shop.execute(*ddl.split("; ") if "BEGIN" not in ddl else [REPLACE, SWAP])
    clerk.work()
    assert await watch.look() == drift
    ready = await mend(shop.dsn, shop.name, shop.name, TABLES)
    assert ready.tables_added == drift.unpublished
    assert ready.tables_by_insert_only == drift.by_insert_only
    assert ready.publications_changed == bool(drift.unpublished)
    clerk.work()
    await watch.look()
    watch.accept()
    assert not await watch.look()


async def test_a_table_that_is_gone_is_told_until_it_is_back(shop: Followed, watch: ObjectWatch, clerk: Clerk) -> None:
    shop.execute("ALTER TABLE lines RENAME TO attic")
    clerk.work("attic")
    assert await watch.look() == Drift(gone=(LINES,))
    assert not (await mend(shop.dsn, shop.name, shop.name, TABLES)).publications_changed
    shop.execute("ALTER TABLE attic RENAME TO lines")
    assert not await watch.look()
    clerk.work()


async def test_a_lost_and_a_regained_identity_are_seen_and_mended(
    shop: Followed, watch: ObjectWatch, clerk: Clerk
) -> None:
    shop.execute("ALTER TABLE lines DROP CONSTRAINT lines_pkey")
    lost = Drift(endangered=(LINES,), by_insert_only=(LINES,), identity_changed=(LINES,))
    assert await watch.look() == lost
    assert (await mend(shop.dsn, shop.name, shop.name, TABLES)).publications_changed
    clerk.work()
    assert await watch.look() == replace(lost, endangered=(), republished=(LINES,))
    watch.accept()
    shop.execute("ALTER TABLE lines ADD PRIMARY KEY (id)")
    clerk.work()
    gained = Drift(identity_gained=(LINES,), identity_changed=(LINES,))
    assert await watch.look() == gained
    assert (await mend(shop.dsn, shop.name, shop.name, TABLES)).publications_changed
    assert await watch.look() == replace(gained, identity_gained=(), republished=(LINES,))
    watch.accept()
    assert not await watch.look()
    clerk.work()


async def test_a_new_partition_without_key_endangers_its_root_until_mended(
    shop: Followed, looks: KeptConnection, clerk: Clerk
) -> None:
    parted = TableName("public", "parted")
    shop.execute(
        "CREATE TABLE parted (id int) PARTITION BY RANGE (id)",
        "CREATE TABLE parted_1 PARTITION OF parted (PRIMARY KEY (id)) FOR VALUES FROM (0) TO (100)",
    )
    assert (await mend(shop.dsn, shop.name, shop.name, [parted])).tables_by_insert_only == ()
    shop.execute("CREATE TABLE parted_2 PARTITION OF parted FOR VALUES FROM (100) TO (200)")
    watch = ObjectWatch(looks, shop.name, shop.name, [parted])
    assert (await watch.look()).endangered == (parted,)
    assert (await mend(shop.dsn, shop.name, shop.name, [parted])).tables_by_insert_only == (parted,)
    clerk.work("parted")


async def test_vanished_publications_and_slot_and_unfit_tables_are_told(shop: Followed, watch: ObjectWatch) -> None:
    shop.execute("CREATE TABLE heir () INHERITS (orders)", "ALTER TABLE lines REPLICA IDENTITY NOTHING")
    shop.execute(f"DROP PUBLICATION {shop.name}, {inserts_name(shop.name)}")
    shop.execute(f"SELECT pg_drop_replication_slot('{shop.name}')")
    assert await watch.look() == Drift(
        slot_gone=True,
        publications_gone=(shop.name, inserts_name(shop.name)),
        unfit=(ORDERS,),
        unpublished=(LINES,),
        republished=(ORDERS, LINES),
        by_insert_only=(LINES,),
        identity_changed=(LINES,),
    )


async def test_a_table_taken_out_of_the_publication_is_told(shop: Followed, watch: ObjectWatch) -> None:
    shop.execute(f"ALTER PUBLICATION {shop.name} DROP TABLE lines")
    assert await watch.look() == Drift(unpublished=(LINES,), republished=(LINES,))
    shop.execute(f"ALTER PUBLICATION {shop.name} ADD TABLE ONLY lines")
    assert await watch.look() == Drift(republished=(LINES,))


async def test_a_publication_that_a_dba_narrowed_is_told(shop: Followed, watch: ObjectWatch, clerk: Clerk) -> None:
    shop.execute(f"ALTER PUBLICATION {shop.name} SET (publish = 'insert')")
    assert await watch.look() == Drift(narrowed=(shop.name,))
    await mend(shop.dsn, shop.name, shop.name, TABLES)
    assert not await watch.look()
    assert watch.changed, "changes may have been missed"
    clerk.work()


async def test_what_makes_no_difference_is_no_news(shop: Followed, watch: ObjectWatch) -> None:
    shop.execute(*NO_NEWS.split("; "))
    assert not await watch.look()
    assert not watch.changed


async def test_how_the_objects_were_can_be_remembered_from_one_process_to_the_next(
    shop: Followed, watch: ObjectWatch, looks: KeptConnection
) -> None:
    kept = load(watch.state.dump())
    shop.execute("ALTER TABLE lines ALTER note TYPE text USING upper(note)")
    later = ObjectWatch(looks, shop.name, shop.name, TABLES)
    later.begin(kept)
    assert await later.look() == Drift(columns_changed=(LINES,))
    assert later.changed
    assert not later.analysed_alike
    assert load('{"tables": [["public", "lines", {"of": "another version"}]], "publications": ""}') is None


async def test_writers_that_run_at_the_moment_of_a_look_are_known(shop: Followed, watch: ObjectWatch) -> None:
    mine = "SELECT pg_current_xact_id()::xid::text"
    with psycopg.connect(shop.dsn) as writer, psycopg.connect(shop.dsn) as later:
        older, newest = (conn.execute(mine.encode()).fetchone() for conn in (writer, later))
        assert older
        assert newest
        await watch.look()
        assert {*older, *newest} <= watch.moment.running
        writer.commit()
        await watch.look()
        assert watch.moment.running.isdisjoint(older)
        assert not watch.moment.running.isdisjoint(newest)


async def test_a_watch_survives_its_connection(shop: Followed, watch: ObjectWatch) -> None:
    others = "FROM pg_stat_activity WHERE datname = current_database() AND pid <> pg_backend_pid()"
    await eventually(lambda: shop.ask(f"SELECT count(pg_terminate_backend(pid)) {others}") == 0)
    with pytest.raises(SourceUnavailable):
        await watch.look()
    assert not await watch.look()


def insert(key: int, table: str = "lines") -> str:
    return f"INSERT INTO {table} (id, order_id) VALUES ({key}, {key})"


STREAMED: dict[str, tuple[list[str], list[Image]]] = {
    "a column added": (["ALTER TABLE lines ADD extra text", insert(1)], [("1",)]),
    "renamed": (["ALTER TABLE lines RENAME order_id TO ord", "INSERT INTO lines VALUES (1, 1)"], [(UNKNOWN,)]),
    "dropped": (["ALTER TABLE lines DROP order_id", "INSERT INTO lines VALUES (1, 'n')"], [(UNKNOWN,)]),
    "renamed there and back": (
        [
            "ALTER TABLE lines RENAME order_id TO ord",
            "INSERT INTO lines VALUES (1, 1)",
            "ALTER TABLE lines RENAME ord TO order_id",
            insert(2),
        ],
        [(UNKNOWN,), ("2",)],
    ),
    "retyped with its rows rewritten": (
        [insert(1), "ALTER TABLE lines ALTER order_id TYPE bigint", insert(2)],
        [("1",), ("2",)],
    ),
    "the table renamed there and back": (
        [insert(1), "ALTER TABLE lines RENAME TO x", insert(2, "x"), "ALTER TABLE x RENAME TO lines", insert(3)],
        [("1",), ("2",), ("3",)],
    ),
}


@pytest.mark.parametrize(("script", "images"), STREAMED.values(), ids=STREAMED)
async def test_ddl_while_streaming_breaks_nothing_and_loses_no_row(
    shop: Followed, script: list[str], images: list[Image]
) -> None:
    seen: list[Image] = []
    async with aclosing(shop.source().batches(INTEREST)) as batches:
        shop.execute(*script)
        while len(seen) < len(images):
            for part in await anext(batches):
                assert {each.table for each in part.changes} == {LINES}
                seen += [image for each in part.changes for image in each.images]
    assert seen == images


@pytest.mark.parametrize("how", ["dropped", "replaced"])
async def test_another_table_under_the_same_name_is_streamed_once_mended(shop: Followed, how: str) -> None:
    async with aclosing(shop.source().batches(INTEREST)) as batches:
        shop.execute(insert(1), *(["DROP TABLE lines", CREATE] if how == "dropped" else [REPLACE, SWAP]))
        await mend(shop.dsn, shop.name, shop.name, TABLES)
        shop.execute("DELETE FROM lines", insert(2))
        seen: list[Changes] = []
        while not seen or seen[-1].images != (("2",),):
            seen += [each for part in await anext(batches) for each in part.changes]
    assert [(each.table, each.operation) for each in (seen[0], seen[-1])] == [(LINES, Operation.INSERT)] * 2


async def test_a_whole_connector_follows_a_table_that_lost_its_key_or_was_replaced_once_its_publications_are_mended(
    rig: Rig,
) -> None:
    promo = TableName("oms", "order_promo")
    parts = await rig.start()
    await rig.quiet()
    tables = list(parts.projection.tables)
    rig.execute("ALTER TABLE oms.order_promo DROP CONSTRAINT order_promo_pkey")
    ready = await mend(rig.dsn, rig.slot, "redo_connector", tables)
    assert ready.tables_by_insert_only == (promo,)
    assert not ready.resubscribe, "the running stream follows both"
    unused = "promo_cd NOT IN (SELECT promo_cd FROM oms.order_promo WHERE ord_id = 7)"
    rig.execute(f"INSERT INTO oms.order_promo SELECT 7, promo_cd, 1 FROM oms.promo WHERE {unused}")
    rig.execute("UPDATE oms.order_promo SET amt = amt WHERE ord_id = 7")
    await rig.quiet()
    assert (await rig.verdict()).clean
    rig.execute("CREATE TABLE oms.promo_2 (LIKE oms.order_promo); INSERT INTO oms.promo_2 TABLE oms.order_promo")
    rig.execute("ALTER TABLE oms.order_promo RENAME TO promo_1; ALTER TABLE oms.promo_2 RENAME TO order_promo")
    rig.execute("ALTER TABLE oms.order_promo ADD PRIMARY KEY (ord_id, promo_cd)")
    ready = await mend(rig.dsn, rig.slot, "redo_connector", tables)
    assert (ready.tables_added, ready.tables_by_insert_only) == ((promo,), ())
    # Another table has the name: nothing is read of it before the mapping was analysed anew.
    await rig.stop()
    await rig.start()
    rig.execute("UPDATE oms.order_promo SET amt = 2 WHERE ord_id = 7")
    await eventually_so("the update of the new table arrives", lambda: _clean(rig))


async def _clean(rig: Rig) -> bool:
    rig.check()
    return (await rig.verdict()).clean
