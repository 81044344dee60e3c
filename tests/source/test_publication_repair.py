"""A publication of ours makes the OMS's statements fail, or would: how soon that ends, and that no lock delays it."""

from __future__ import annotations

from collections.abc import AsyncIterator

import psycopg
import pytest

from connector.model.changes import TableName
from connector.postgres.connections import KeptConnection, connection
from connector.source.objects.catalog import read_tables
from connector.source.objects.drift import ObjectWatch
from connector.source.objects.publication_pair import inserts_name, pair_repairs, read_pair
from connector.source.objects.publication_repair import FailingTable, PublicationRepair
from connector.source.objects.setup import ensure, mend
from tests.support.fixtures.postgres import Database
from tests.support.postgres.followed_database import Followed

ORDERS = TableName("public", "orders")
LINES = TableName("public", "lines")
TABLES = [ORDERS, LINES]


@pytest.fixture
async def shop(database: Database) -> Followed:
    shop = Followed(database.dsn, f"slot_{database.name}")
    shop.execute("CREATE TABLE orders (id int PRIMARY KEY, note text)")
    shop.execute("CREATE TABLE lines (id int PRIMARY KEY, order_id int) PARTITION BY RANGE (id)")
    shop.execute("CREATE TABLE lines_1 PARTITION OF lines FOR VALUES FROM (0) TO (100)")
    await ensure(shop.dsn, shop.name, shop.name, TABLES, manage=True)
    return shop


@pytest.fixture
async def looks(shop: Followed) -> AsyncIterator[KeptConnection]:
    made = KeptConnection(shop.dsn)
    yield made
    await made.close()


@pytest.fixture
async def repair(shop: Followed, looks: KeptConnection) -> PublicationRepair:
    made = PublicationRepair(looks, shop.name)
    assert await made.look() == []
    return made


def work(shop: Followed, table: str = "orders") -> None:
    new = f"SELECT 7 WHERE NOT EXISTS (SELECT FROM {table} WHERE id = 7)"
    shop.execute(f"INSERT INTO {table} (id) {new}", f"UPDATE {table} SET id = id", f"DELETE FROM {table} WHERE id = 7")


def operations(shop: Followed) -> list[bool]:
    found: list[bool] = shop.ask(
        f"SELECT ARRAY[pubinsert, pubupdate, pubdelete, pubtruncate] FROM pg_publication WHERE pubname = '{shop.name}'"
    )
    return found


LOST = {
    "its primary key dropped": ("ALTER TABLE orders DROP CONSTRAINT orders_pkey", ORDERS),
    "identity NOTHING": ("ALTER TABLE orders REPLICA IDENTITY NOTHING", ORDERS),
    "identity NOTHING of a partition": ("ALTER TABLE lines_1 REPLICA IDENTITY NOTHING", LINES),
}


@pytest.mark.parametrize(("ddl", "table"), LOST.values(), ids=LOST)
async def test_a_table_that_loses_its_identity_is_writable_again_after_one_look(
    shop: Followed, repair: PublicationRepair, ddl: str, table: TableName
) -> None:
    shop.execute(ddl, f"INSERT INTO {table.name} (id) VALUES (1)")
    with pytest.raises(psycopg.errors.ObjectNotInPrerequisiteState):
        shop.execute(f"UPDATE {table.name} SET id = id")
    found = await repair.look()
    assert found == [FailingTable(shop.name, table, by_option=False)]
    await repair.repair(found)
    work(shop, table.name)
    assert await repair.look() == []
    ready = await mend(shop.dsn, shop.name, shop.name, TABLES)
    assert (ready.tables_by_insert_only, ready.publications_changed) == ((table,), True)


async def test_a_rescue_waits_for_no_lock_and_all_is_published_again_once_the_table_is_free(
    shop: Followed, repair: PublicationRepair
) -> None:
    """An index is built concurrently, say, right after the primary key was dropped."""
    shop.execute("ALTER TABLE orders DROP CONSTRAINT orders_pkey")
    with psycopg.connect(shop.dsn) as other:
        other.execute("LOCK TABLE orders IN SHARE UPDATE EXCLUSIVE MODE")
        await repair.repair(await repair.look())
        assert operations(shop) == [True, False, False, True]
        assert await repair.look() == []
        work(shop)
    await mend(shop.dsn, shop.name, shop.name, TABLES)
    assert operations(shop) == [True] * 4
    work(shop)
    assert await repair.look() == []


async def test_no_look_waits_for_a_locked_table_or_partition(
    shop: Followed, repair: PublicationRepair, looks: KeptConnection
) -> None:
    watch = ObjectWatch(looks, shop.name, shop.name, TABLES)
    with psycopg.connect(shop.dsn) as other:
        other.execute("ALTER TABLE orders ADD extra int; ALTER TABLE lines_1 ADD CHECK (id > 0)")
        assert not await watch.look()
        assert await repair.look() == []


async def test_a_table_that_vanished_before_its_rescue_hinders_no_other(
    shop: Followed, repair: PublicationRepair
) -> None:
    shop.execute("ALTER TABLE orders REPLICA IDENTITY NOTHING", "ALTER TABLE lines_1 REPLICA IDENTITY NOTHING")
    found = await repair.look()
    assert len(found) == 2
    shop.execute("DROP TABLE lines")
    await repair.repair(found)
    work(shop)


async def test_a_table_under_a_lock_is_added_without_holding_a_lock_on_another(shop: Followed) -> None:
    """Who wants both would otherwise wait for us, or be cancelled in a deadlock."""
    shop.execute("CREATE TABLE aisle (id int PRIMARY KEY)", "CREATE TABLE bin (id int PRIMARY KEY)")
    wanted = [*TABLES, TableName("public", "aisle"), TableName("public", "bin")]
    async with connection(shop.dsn) as conn:
        statements = pair_repairs(await read_pair(conn, shop.name), await read_tables(conn, wanted))
    assert [statement.as_string().count("ONLY") for statement in statements] == [1, 1]


def generated_columns(database: Database) -> None:
    if database.cluster.version < 18:
        pytest.skip("Postgres 18 brought virtual generated columns, and its publications may publish stored ones")


async def test_an_identity_that_holds_stored_generated_columns_keeps_the_table_writable_and_streamed_whole(
    shop: Followed, repair: PublicationRepair, database: Database
) -> None:
    generated_columns(database)
    shop.execute("ALTER TABLE orders REPLICA IDENTITY FULL")
    shop.execute("ALTER TABLE orders ADD twice int GENERATED ALWAYS AS (id * 2) STORED")
    work(shop)
    shop.execute("CREATE TABLE odd (id int, twice int GENERATED ALWAYS AS (id * 2) STORED PRIMARY KEY)")
    assert (
        await mend(shop.dsn, shop.name, shop.name, [*TABLES, TableName("public", "odd")])
    ).tables_by_insert_only == ()
    work(shop, "odd")
    assert await repair.look() == []


async def test_a_publication_made_without_generated_columns_is_told_to_publish_them_before_the_oms_is_left_failing(
    shop: Followed, repair: PublicationRepair, database: Database
) -> None:
    generated_columns(database)
    for name in (shop.name, inserts_name(shop.name)):
        shop.execute(f"ALTER PUBLICATION {name} SET (publish_generated_columns = none)")
    shop.execute("ALTER TABLE orders REPLICA IDENTITY FULL")
    shop.execute("ALTER TABLE orders ADD twice int GENERATED ALWAYS AS (id * 2) STORED")
    with pytest.raises(psycopg.errors.InvalidColumnReference):
        work(shop)
    found = await repair.look()
    assert found == [FailingTable(shop.name, ORDERS, by_option=True)]
    await repair.repair(found)
    work(shop)
    ready = await mend(shop.dsn, shop.name, shop.name, TABLES)
    assert ready.tables_by_insert_only == ()
    work(shop)


async def test_virtual_generated_columns_make_a_full_identity_unusable(
    shop: Followed, repair: PublicationRepair, database: Database
) -> None:
    generated_columns(database)
    shop.execute("ALTER TABLE orders REPLICA IDENTITY FULL")
    work(shop)
    shop.execute("ALTER TABLE orders ADD twice int GENERATED ALWAYS AS (id * 2) VIRTUAL")
    with pytest.raises(psycopg.errors.InvalidColumnReference):
        work(shop)
    await repair.repair(await repair.look())
    work(shop)
    assert (await mend(shop.dsn, shop.name, shop.name, TABLES)).tables_by_insert_only == (ORDERS,)
    work(shop)
    shop.execute("ALTER TABLE orders REPLICA IDENTITY DEFAULT")
    assert (await mend(shop.dsn, shop.name, shop.name, TABLES)).tables_by_insert_only == ()
    work(shop)
