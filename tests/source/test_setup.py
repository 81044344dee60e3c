"""Making and verifying publication and slot, on a real server."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from contextlib import aclosing

import psycopg
import pytest

from connector.model.changes import TableName
from connector.model.errors import ConfigurationError, Problem, SlotLost, SourceUnavailable
from connector.source.checks.preflight import preflight
from connector.source.objects.setup import SetupResult, ensure
from connector.source.objects.slot import Blocker, create_slot
from tests.support.fixtures.postgres import Database, MakeCluster
from tests.support.postgres.followed_database import Followed, eventually

ORDERS = TableName("public", "orders")
LINES = TableName("public", "lines")


@pytest.fixture
def shop(database: Database) -> Followed:
    """A database with two tables, and no publication or slot yet."""
    shop = Followed(database.dsn, f"slot_{database.name}")
    shop.execute("CREATE TABLE orders (id int PRIMARY KEY, note text)", "CREATE TABLE lines (id int PRIMARY KEY)")
    return shop


def needs(database: Database, version: int) -> None:
    if database.cluster.version < version:
        pytest.skip(f"Postgres {version} brought this")


async def make(shop: Followed, *tables: TableName, manage: bool = True) -> SetupResult:
    return await ensure(shop.dsn, shop.name, shop.name, tables or (ORDERS,), manage)


async def problems(shop: Followed, *tables: TableName, manage: bool = True) -> tuple[Problem, ...]:
    with pytest.raises(ConfigurationError) as caught:
        await make(shop, *tables, manage=manage)
    return caught.value.problems


def published(shop: Followed) -> list[str]:
    listed = "array_agg(schemaname || '.' || tablename)"
    return sorted(shop.ask(f"SELECT {listed} FROM pg_publication_tables WHERE pubname = '{shop.name}'") or [])


async def test_publication_and_slot_are_made_once_and_the_publication_first(shop: Followed) -> None:
    assert await make(shop, ORDERS, LINES) == SetupResult(
        slot_created=True, tables_added=(ORDERS, LINES), publications_changed=True
    )
    assert published(shop) == ["public.lines", "public.orders"]
    assert shop.slot("plugin || ' ' || database") == f"pgoutput {shop.dsn.rsplit('/', 1)[1]}"
    older = shop.slot(f"(SELECT p.xmin::text::int8 FROM pg_publication p WHERE pubname = '{shop.name}')")
    assert older < shop.slot("catalog_xmin::text::int8")
    assert await make(shop, ORDERS, LINES) == SetupResult(slot_created=False, tables_added=())


async def test_the_publication_has_explicit_tables_all_operations_the_roots_name_and_no_column_list(
    shop: Followed,
) -> None:
    await make(shop)
    options = "pubviaroot AND pubinsert AND pubupdate AND pubdelete AND pubtruncate AND NOT puballtables"
    assert shop.ask(f"SELECT {options} FROM pg_publication WHERE pubname = '{shop.name}'")
    assert not shop.ask("SELECT count(*) FROM pg_publication_rel r WHERE to_jsonb(r)->'prattrs' <> 'null'")


async def test_the_stream_runs_on_what_was_made(shop: Followed) -> None:
    await make(shop)
    shop.execute("INSERT INTO orders VALUES (1)")
    async with aclosing(shop.source().batches({ORDERS: ("id",)})) as batches:
        [transaction] = await anext(batches)
    assert transaction.changes[0].images == (("1",),)


async def test_newly_mapped_tables_are_added_and_other_peoples_tables_stay(shop: Followed) -> None:
    shop.execute("CREATE TABLE theirs (id int PRIMARY KEY)")
    await make(shop)
    shop.execute(f"ALTER PUBLICATION {shop.name} ADD TABLE theirs")
    assert await make(shop, ORDERS, LINES) == SetupResult(
        slot_created=False, tables_added=(LINES,), publications_changed=True
    )
    assert published(shop) == ["public.lines", "public.orders", "public.theirs"]


async def test_a_publication_that_leaves_operations_out_is_mended(shop: Followed) -> None:
    shop.execute(f"CREATE PUBLICATION {shop.name} FOR TABLE orders WITH (publish = 'insert')")
    await create_slot(shop.dsn, shop.name)
    ready = await make(shop)
    assert ready == SetupResult(slot_created=False, publications_changed=True)
    assert shop.ask(f"SELECT pubdelete AND pubviaroot FROM pg_publication WHERE pubname = '{shop.name}'")


async def test_a_partition_less_whole_than_its_root_is_followed(shop: Followed) -> None:
    """Its old rows come in part, which the stream's reader knows (test_source_transactions)."""
    shop.execute(
        "CREATE TABLE odd (id int PRIMARY KEY) PARTITION BY RANGE (id)",
        "CREATE TABLE odd_1 PARTITION OF odd FOR VALUES FROM (0) TO (9)",
        "ALTER TABLE odd REPLICA IDENTITY FULL",
    )
    await make(shop, TableName("public", "odd"))
    assert published(shop) == ["public.odd"]


WRONG_KINDS = {
    "no such table": "SELECT 1",
    "only ordinary and partitioned": "CREATE VIEW odd AS SELECT 1",
    "unlogged": "CREATE UNLOGGED TABLE odd (id int PRIMARY KEY)",
    "inheritance children": "CREATE TABLE odd (id int PRIMARY KEY); CREATE TABLE heir () INHERITS (odd)",
}


@pytest.mark.parametrize(("what", "ddl"), WRONG_KINDS.items())
async def test_what_can_not_be_followed_is_refused(shop: Followed, what: str, ddl: str) -> None:
    shop.execute(ddl)
    [problem] = await problems(shop, TableName("public", "odd"))
    assert what in problem.what
    assert problem.where == "public.odd"


async def test_unmanaged_tells_the_sql_and_passes_once_a_dba_ran_it(shop: Followed) -> None:
    found = await problems(shop, ORDERS, LINES, manage=False)
    assert [problem.what for problem in found] == ["there is no such publication", "there is no such slot"]
    assert published(shop) == []
    shop.execute(*[problem.hint for problem in found])
    assert await make(shop, ORDERS, LINES, manage=False) == SetupResult(slot_created=False, tables_added=())


INCOMPLETE = {
    "does not cover public.lines": "FOR TABLE orders WITH (publish_via_partition_root = true)",
    "does not publish all": "FOR TABLE orders, lines WITH (publish = 'insert, update')",
    "its row filter on public.lines hides changes": "FOR TABLE orders, lines WHERE (id > 5)",
}


@pytest.mark.parametrize(("what", "clause"), INCOMPLETE.items())
async def test_unmanaged_refuses_a_publication_that_hides_changes_until_the_hint_was_run(
    shop: Followed, database: Database, what: str, clause: str
) -> None:
    if "filter" in what:
        needs(database, 15)
    shop.execute(f"CREATE PUBLICATION {shop.name} {clause}")
    await create_slot(shop.dsn, shop.name)
    [problem] = await problems(shop, ORDERS, LINES, manage=False)
    assert what in problem.what
    shop.execute(*problem.hint.split("; "))
    await make(shop, ORDERS, LINES, manage=False)


async def test_unmanaged_wants_partitions_under_their_roots_name(shop: Followed) -> None:
    shop.execute(
        "CREATE TABLE parted (id int PRIMARY KEY) PARTITION BY RANGE (id)",
        "CREATE TABLE parted_1 PARTITION OF parted FOR VALUES FROM (0) TO (9)",
        f"CREATE PUBLICATION {shop.name} FOR TABLE parted",
    )
    await create_slot(shop.dsn, shop.name)
    parted = TableName("public", "parted")
    [problem] = await problems(shop, parted, manage=False)
    assert problem.what == "it publishes partitions under their own names"
    await make(shop, parted)
    await make(shop, parted, manage=False)


async def test_a_column_list_is_tolerated(shop: Followed, database: Database) -> None:
    needs(database, 15)
    shop.execute(f"CREATE PUBLICATION {shop.name} FOR TABLE orders (id) WITH (publish_via_partition_root = true)")
    await make(shop)


async def test_a_publication_for_all_tables_covers_everything(shop: Followed) -> None:
    shop.execute(f"CREATE PUBLICATION {shop.name} FOR ALL TABLES")
    assert (await make(shop, ORDERS, LINES)).tables_added == ()
    assert await make(shop, ORDERS, LINES) == SetupResult(slot_created=False)


async def test_ddl_gives_up_a_lock_instead_of_queueing_the_oms_behind_it(shop: Followed) -> None:
    with psycopg.connect(shop.dsn) as other:
        other.execute("LOCK TABLE orders IN SHARE UPDATE EXCLUSIVE MODE")
        with pytest.raises(SourceUnavailable, match="locked by another session"):
            await make(shop)
    assert published(shop) == []
    await make(shop)


async def test_who_blocks_slot_creation_is_told_and_it_goes_on_when_they_are_done(shop: Followed) -> None:
    told: list[Sequence[Blocker]] = []
    with psycopg.connect(shop.dsn, application_name="nightly-report") as other:
        other.execute("INSERT INTO orders VALUES (1)")
        creation = asyncio.create_task(create_slot(shop.dsn, shop.name, told.append, notice_after=0.05))
        await eventually(lambda: bool(told))
        [blocker] = told[0]
        assert blocker.pid == other.info.backend_pid
        assert str(blocker).startswith(f"pid {blocker.pid} (nightly-report, idle in transaction, open for ")
        assert "INSERT" not in str(blocker)
        other.commit()
        assert await creation
    assert shop.slot("confirmed_flush_lsn") is not None


async def test_a_cancelled_creation_leaves_no_slot(shop: Followed) -> None:
    told: list[Sequence[Blocker]] = []
    with psycopg.connect(shop.dsn) as other:
        other.execute("INSERT INTO orders VALUES (1)")
        creation = asyncio.create_task(create_slot(shop.dsn, shop.name, told.append, notice_after=0.05))
        await eventually(lambda: bool(told))
        creation.cancel()
        await asyncio.wait([creation])
        assert creation.cancelled()
        other.commit()
    await eventually(lambda: shop.slot("1") is None)


async def test_a_slot_of_another_kind_or_database_is_not_touched(shop: Followed, database: Database) -> None:
    shop.execute(f"SELECT pg_create_physical_replication_slot('{shop.name}')")
    [problem] = await problems(shop)
    assert problem.what == "it is a physical slot, not a logical one"
    shop.execute(f"SELECT pg_drop_replication_slot('{shop.name}')")
    try:
        await create_slot(database.cluster.dsn(), shop.name)
        [problem] = await problems(shop)
        assert problem.what == f"it belongs to database postgres, not {database.name}"
    finally:
        psycopg.connect(database.cluster.dsn(), autocommit=True).execute(
            "SELECT pg_drop_replication_slot(%s)", (shop.name,)
        ).connection.close()


async def test_a_slot_whose_publication_is_gone_is_made_anew(shop: Followed) -> None:
    await make(shop)
    before = shop.slot("catalog_xmin::text::int8")
    shop.execute(f"DROP PUBLICATION {shop.name}")
    ready = await make(shop)
    assert (ready.slot_created, ready.slot_lost, ready.publications_changed) == (True, "undecodable", True)
    assert shop.slot("catalog_xmin::text::int8") > before


async def test_a_slot_that_a_person_wants_to_look_at_first_is_neither_made_nor_dropped(shop: Followed) -> None:
    await make(shop)
    shop.execute(f"DROP PUBLICATION {shop.name}")
    with pytest.raises(ConfigurationError, match="is older than the publication"):
        await ensure(shop.dsn, shop.name, shop.name, [ORDERS], manage=True, keep_slot=True)
    assert shop.slot("slot_name") == shop.name
    shop.execute(f"SELECT pg_drop_replication_slot('{shop.name}')")
    with pytest.raises(ConfigurationError, match="there is no such slot"):
        await ensure(shop.dsn, shop.name, shop.name, [ORDERS], manage=True, keep_slot=True)
    assert shop.slot("slot_name") is None


async def test_from_17_on_the_slot_is_made_to_outlive_a_failover(shop: Followed, database: Database) -> None:
    needs(database, 17)
    await make(shop)
    assert shop.slot("failover") is True


async def test_a_role_that_may_not_create_is_told_what_a_dba_must_run(shop: Followed) -> None:
    shop.execute(f"CREATE ROLE {shop.name} LOGIN REPLICATION", f"GRANT SELECT ON orders TO {shop.name}")
    dsn = shop.dsn.replace("//postgres@", f"//{shop.name}@")
    with pytest.raises(ConfigurationError, match=r"source\.manage = false") as caught:
        await ensure(dsn, shop.name, shop.name, [ORDERS], manage=True)
    [problem] = caught.value.problems
    shop.execute(*problem.hint.split("\n  ")[1:])
    await ensure(dsn, shop.name, shop.name, [ORDERS], manage=False)


async def test_a_publication_of_a_dbas_that_nothing_is_wrong_with_is_used_as_it_is(shop: Followed) -> None:
    """From 18 on we would publish generated columns too, which only its owner could add, and no mapped table has."""
    shop.execute(
        f"CREATE ROLE {shop.name} LOGIN REPLICATION",
        f"GRANT SELECT ON orders TO {shop.name}",
        f"CREATE PUBLICATION {shop.name} FOR TABLE orders WITH (publish_via_partition_root = true)",
    )
    try:
        clerk = Followed(shop.dsn.replace("postgres@", f"{shop.name}@", 1), shop.name)
        ready = await make(clerk)
        assert (ready.slot_created, ready.publications_changed) == (True, False)
        assert await make(clerk) == SetupResult(slot_created=False, tables_added=())
    finally:
        shop.execute(
            f"SELECT pg_drop_replication_slot('{shop.name}')", f"DROP OWNED BY {shop.name}", f"DROP ROLE {shop.name}"
        )


async def test_a_slot_that_lost_wal_is_told_by_the_stream_and_the_preflight_and_made_anew_by_setup(
    make_cluster: MakeCluster,
) -> None:
    shop = Followed(make_cluster(settings={"max_slot_wal_keep_size": "1MB"}).dsn(), "lost")
    shop.execute("CREATE TABLE orders (id int PRIMARY KEY)")
    await make(shop)
    for _ in range(4):
        shop.execute("INSERT INTO orders VALUES (1)", "DELETE FROM orders", "SELECT pg_switch_wal()")
    shop.execute("CHECKPOINT")
    await eventually(lambda: shop.slot("wal_status") == "lost")
    with pytest.raises(SlotLost, match="removed WAL") as lost:
        await anext(shop.source().batches({ORDERS: ("id",)}))
    assert lost.value.reason == "lost"
    for renews in (True, False):
        [problem] = (await preflight(shop.dsn, shop.name, shop.name, [ORDERS], manage=True, renews=renews)).problems
        assert "removed WAL" in problem.what
        assert problem.warning is renews
    [problem] = await problems(shop, manage=False)
    assert "removed WAL" in problem.what
    ready = await make(shop)
    assert (ready.slot_created, ready.slot_lost) == (True, "lost")
    assert shop.slot("wal_status") == "reserved"


async def test_a_server_without_logical_wal_is_reported(make_cluster: MakeCluster) -> None:
    shop = Followed(make_cluster(settings={"wal_level": "replica"}).dsn(), "replica")
    shop.execute("CREATE TABLE orders (id int PRIMARY KEY)")
    [problem] = await problems(shop)
    assert problem.hint == "set wal_level = logical (needs a restart)"
