"""Tables without a usable replica identity, on a real server: their own statements never fail, and what can be
streamed of them is."""

from __future__ import annotations

import re
from contextlib import aclosing

import psycopg
import pytest

from connector.model.changes import Interest, Operation, TableName
from connector.model.errors import ConfigurationError, SourceUnavailable
from connector.source.checks.grants import Access, grants
from connector.source.checks.preflight import preflight
from connector.source.objects.publication_pair import inserts_name
from connector.source.objects.setup import SetupResult, ensure, mend
from connector.source.objects.slot import create_slot
from connector.source.objects.teardown import Leftovers, leftovers, statements, teardown
from connector.source.stream.copyboth import NotDecodableYet
from connector.source.stream.postgres_source import PostgresSource
from tests.support.fixtures.postgres import Database
from tests.support.postgres.followed_database import Followed

ORDERS = TableName("public", "orders")
ODD = TableName("public", "odd")
INTEREST: Interest = {ORDERS: ("id",), ODD: ("id",)}


@pytest.fixture
def shop(database: Database) -> Followed:
    shop = Followed(database.dsn, f"slot_{database.name}")
    shop.execute("CREATE TABLE orders (id int PRIMARY KEY)")
    return shop


async def make(shop: Followed, manage: bool = True) -> SetupResult:
    return await ensure(shop.dsn, shop.name, shop.name, [ORDERS, ODD], manage)


def published(shop: Followed) -> tuple[list[str], list[str]]:
    """What the main publication names, and what the second one does."""
    listed = "SELECT array_agg(tablename::text ORDER BY tablename) FROM pg_publication_tables WHERE pubname = "
    return shop.ask(f"{listed}'{shop.name}'") or [], shop.ask(f"{listed}'{inserts_name(shop.name)}'") or []


def work(shop: Followed) -> None:
    """What the OMS does with its table all day."""
    shop.execute("INSERT INTO odd VALUES (1)", "UPDATE odd SET id = 2", "DELETE FROM odd", "TRUNCATE odd")


def sql_of(hint: str) -> str:
    """The statement among the advice that can be run as it stands."""
    found = re.search(r"ALTER TABLE \S+ REPLICA IDENTITY [^;]+;", hint)
    assert found is not None
    return found.group()


IDENTITIES = {
    "no primary key": "CREATE TABLE odd (id int)",
    "a deferrable primary key": "CREATE TABLE odd (id int PRIMARY KEY DEFERRABLE)",
    "identity nothing": "CREATE TABLE odd (id int PRIMARY KEY); ALTER TABLE odd REPLICA IDENTITY NOTHING",
    "a unique index that could serve": "CREATE TABLE odd (id int NOT NULL UNIQUE)",
    "a dropped identity index": "CREATE TABLE odd (id int NOT NULL); CREATE UNIQUE INDEX gone ON odd (id);"
    "ALTER TABLE odd REPLICA IDENTITY USING INDEX gone; DROP INDEX gone",
    "a partition without key": "CREATE TABLE odd (id int) PARTITION BY RANGE (id);"
    "CREATE TABLE odd_1 PARTITION OF odd FOR VALUES FROM (0) TO (9)",
}


@pytest.mark.parametrize("ddl", IDENTITIES.values(), ids=IDENTITIES)
async def test_a_table_without_usable_replica_identity_is_published_by_insert_alone_until_the_hint_was_run(
    shop: Followed, ddl: str
) -> None:
    shop.execute(ddl)
    assert (await make(shop)).tables_by_insert_only == (ODD,)
    assert published(shop) == (["orders"], ["odd"])
    work(shop)
    [warning] = (await preflight(shop.dsn, shop.name, shop.name, [ORDERS, ODD], manage=True)).problems
    assert warning.warning
    assert warning.where in {"public.odd", "public.odd_1"}
    assert "reconcile.every" in warning.what
    shop.execute(sql_of(warning.hint))
    ready = await make(shop)
    assert ready == SetupResult(slot_created=False, publications_changed=True)
    assert published(shop) == (["odd", "orders"], [])
    work(shop)
    assert (await preflight(shop.dsn, shop.name, shop.name, [ORDERS, ODD], manage=True)).problems == []


async def test_the_cheapest_remedy_is_told(shop: Followed) -> None:
    async def hint(ddl: str) -> str:
        shop.execute(f"DROP TABLE IF EXISTS odd; {ddl}")
        [warning] = (await preflight(shop.dsn, shop.name, shop.name, [ODD], manage=True)).problems
        return warning.hint

    alter = 'ALTER TABLE "public"."odd"'
    assert await hint(IDENTITIES["identity nothing"]) == f"{alter} REPLICA IDENTITY DEFAULT;"
    unique = await hint(IDENTITIES["a unique index that could serve"])
    assert unique == f'{alter} REPLICA IDENTITY USING INDEX "odd_id_key";'
    nothing = await hint(IDENTITIES["no primary key"])
    assert nothing.startswith(f"{alter} ADD PRIMARY KEY (...); or, ")
    assert "writes its whole old row to the WAL" in nothing


async def test_the_stream_brings_inserts_and_truncates_of_such_a_table_beside_everything_of_the_others(
    shop: Followed,
) -> None:
    shop.execute(IDENTITIES["no primary key"])
    await make(shop)
    work(shop)
    shop.execute("INSERT INTO orders VALUES (7)", "DELETE FROM orders")
    seen: list[tuple[TableName, Operation]] = []
    async with aclosing(shop.source().batches(INTEREST)) as batches:
        while len(seen) < 4:
            seen += [(each.table, each.operation) for part in await anext(batches) for each in part.changes]
    assert seen == [
        (ODD, Operation.INSERT),
        (ODD, Operation.TRUNCATE),
        (ORDERS, Operation.INSERT),
        (ORDERS, Operation.DELETE),
    ]


async def test_a_table_that_loses_its_identity_while_published_is_writable_again_once_mended(shop: Followed) -> None:
    shop.execute("CREATE TABLE odd (id int PRIMARY KEY)")
    await make(shop)
    shop.execute("ALTER TABLE odd DROP CONSTRAINT odd_pkey", "INSERT INTO odd VALUES (1)")
    with pytest.raises(psycopg.errors.ObjectNotInPrerequisiteState):
        shop.execute("UPDATE odd SET id = 2")
    found = (await preflight(shop.dsn, shop.name, shop.name, [ORDERS, ODD], manage=True)).problems
    assert all(problem.warning for problem in found)
    assert any(problem.what.startswith("its own UPDATEs and DELETEs fail now") for problem in found)
    ready = await mend(shop.dsn, shop.name, shop.name, [ORDERS, ODD])
    assert (ready.tables_by_insert_only, ready.publications_changed) == ((ODD,), True)
    work(shop)
    assert published(shop) == (["orders"], ["odd"])
    assert await mend(shop.dsn, shop.name, shop.name, [ORDERS, ODD]) == SetupResult(False, tables_by_insert_only=(ODD,))


async def test_nobodys_table_is_left_in_danger_by_what_else_is_wrong(shop: Followed) -> None:
    """A table that was mapped under an earlier name, a mapped one that is gone, and a slot that can't be used."""
    shop.execute("CREATE TABLE odd (id int PRIMARY KEY)")
    await make(shop)
    shop.execute("ALTER TABLE odd RENAME TO attic", "ALTER TABLE attic DROP CONSTRAINT odd_pkey")
    assert not (await mend(shop.dsn, shop.name, shop.name, [ORDERS, ODD])).tables_added
    shop.execute("INSERT INTO attic VALUES (1)", "UPDATE attic SET id = 2")
    shop.execute("ALTER TABLE orders DROP CONSTRAINT orders_pkey", f"SELECT pg_drop_replication_slot('{shop.name}')")
    shop.execute(f"SELECT pg_create_physical_replication_slot('{shop.name}')")
    with pytest.raises(ConfigurationError, match="physical slot"):
        await mend(shop.dsn, shop.name, shop.name, [ORDERS])
    shop.execute("UPDATE orders SET id = 2")


async def test_a_locked_table_is_tried_again_later_and_holds_up_no_rescue_of_another(shop: Followed) -> None:
    shop.execute("CREATE TABLE odd (id int PRIMARY KEY)", "CREATE TABLE late (id int PRIMARY KEY)")
    await make(shop)
    shop.execute("ALTER TABLE odd DROP CONSTRAINT odd_pkey")
    late = TableName("public", "late")
    with psycopg.connect(shop.dsn) as other:
        other.execute("LOCK TABLE late IN SHARE UPDATE EXCLUSIVE MODE")
        with pytest.raises(SourceUnavailable, match="locked by another session"):
            await mend(shop.dsn, shop.name, shop.name, [ORDERS, ODD, late])
        work(shop)
    ready = await mend(shop.dsn, shop.name, shop.name, [ORDERS, ODD, late])
    assert set(ready.tables_added) == {ODD, late}


async def test_unmanaged_tells_a_dba_what_to_run_when_a_table_lost_its_identity_and_only_warns_when_it_gained_one(
    shop: Followed,
) -> None:
    shop.execute("CREATE TABLE odd (id int PRIMARY KEY)")
    await make(shop)
    shop.execute("ALTER TABLE odd DROP CONSTRAINT odd_pkey")
    with pytest.raises(ConfigurationError) as caught:
        await make(shop, manage=False)
    lost, uncovered = caught.value.problems
    assert lost.what.startswith("its own UPDATEs and DELETEs fail now")
    shop.execute(lost.hint, *uncovered.hint.split("; "))
    work(shop)
    assert await make(shop, manage=False) == SetupResult(slot_created=False, tables_by_insert_only=(ODD,))
    shop.execute("ALTER TABLE odd ADD PRIMARY KEY (id)")
    assert await make(shop, manage=False) == SetupResult(slot_created=False, tables_by_insert_only=(ODD,))
    [warning] = (await preflight(shop.dsn, shop.name, shop.name, [ORDERS, ODD], manage=False)).problems
    assert warning.warning
    shop.execute(*warning.hint.split("; "))
    assert await make(shop, manage=False) == SetupResult(slot_created=False)


async def test_a_publication_for_all_tables_is_not_used_while_it_endangers_a_mapped_table(shop: Followed) -> None:
    shop.execute(IDENTITIES["no primary key"], f"CREATE PUBLICATION {shop.name} FOR ALL TABLES")
    with pytest.raises(ConfigurationError, match=r"covers public\.odd without naming them"):
        await make(shop)
    found = (await preflight(shop.dsn, shop.name, shop.name, [ORDERS, ODD], manage=True)).problems
    assert [problem.where for problem in found if not problem.warning] == [f"publication {shop.name}"]
    shop.execute("ALTER TABLE odd REPLICA IDENTITY FULL")
    assert (await make(shop)).slot_created


async def test_grants_keep_such_a_table_out_of_the_main_publication(shop: Followed) -> None:
    shop.execute(IDENTITIES["no primary key"])
    tables = [ORDERS, ODD]
    access = Access(shop.name, tables, dict.fromkeys(tables), ["public"])
    shop.execute(await grants(shop.dsn, access, shop.name, shop.name))
    await create_slot(shop.dsn, shop.name)
    assert published(shop) == (["orders"], ["odd"])
    work(shop)
    assert await make(shop, manage=False) == SetupResult(slot_created=False, tables_by_insert_only=(ODD,))


async def test_teardown_drops_both_publications_and_so_does_what_it_tells_a_dba(shop: Followed) -> None:
    shop.execute(IDENTITIES["no primary key"])
    await make(shop)
    names = [shop.name, shop.name, inserts_name(shop.name)]
    both = Leftovers(tuple(zip(("slot", "publication", "publication"), names, strict=True)))
    assert await leftovers(shop.dsn, shop.name, shop.name) == both
    assert await teardown(shop.dsn, shop.name, shop.name) == both
    await make(shop)
    shop.execute(*statements(shop.name, shop.name).splitlines())
    assert not await leftovers(shop.dsn, shop.name, shop.name)
    shop.execute(*statements(shop.name, shop.name).splitlines())


async def test_a_second_publication_made_while_streaming_is_followed_after_a_reconnect(
    shop: Followed, database: Database
) -> None:
    shop.execute("CREATE TABLE odd (id int PRIMARY KEY)")
    await make(shop)
    shop.execute(f"DROP PUBLICATION {inserts_name(shop.name)}", "ALTER TABLE odd DROP CONSTRAINT odd_pkey")
    source = shop.source()
    shop.execute("INSERT INTO orders VALUES (1)")
    async with aclosing(source.batches(INTEREST)) as batches:
        # Not acknowledged, so that it must be read again, and is older than the second publication.
        await anext(batches)
        assert (await mend(shop.dsn, shop.name, shop.name, [ORDERS, ODD])).resubscribe
        source.reconnect()
        with pytest.raises(SourceUnavailable, match="connecting anew"):
            await anext(batches)
    if database.cluster.version < 18:
        with pytest.raises(NotDecodableYet):
            await anext(source.batches(INTEREST))
        await read_until(source, "1")
    shop.execute("INSERT INTO odd VALUES (5)")
    await read_until(source, "5")


async def read_until(source: PostgresSource, key: str) -> None:
    """Acknowledge everything up to the row with that key."""
    async with aclosing(source.batches(INTEREST)) as batches:
        async for batch in batches:
            for part in batch:
                assert part.end_lsn is not None
                source.acknowledge(part.end_lsn)
                if any((key,) in each.images for each in part.changes):
                    return


async def test_a_long_name_is_shortened_as_the_server_would(database: Database) -> None:
    shop = Followed(database.dsn, f"slot_{database.name}")
    shop.execute(IDENTITIES["no primary key"])
    name = "p" * 50 + "é" * 6
    assert len(inserts_name(name).encode()) <= 63
    await ensure(shop.dsn, shop.name, name, [ODD], manage=True)
    await create_slot(shop.dsn, shop.name)
    assert await ensure(shop.dsn, shop.name, name, [ODD], manage=True) == SetupResult(
        False, tables_by_insert_only=(ODD,)
    )
