"""Taking the slot and the publications back, whatever has become of them meanwhile."""

from __future__ import annotations

import asyncio

import pytest

from connector.model.changes import TableName
from connector.model.errors import ConfigurationError
from connector.source.objects.publication_pair import inserts_name
from connector.source.objects.setup import ensure
from connector.source.objects.teardown import leftovers, statements, teardown
from tests.support.fixtures.postgres import Database, MakeCluster
from tests.support.postgres.followed_database import Followed, eventually

ORDERS = TableName("public", "orders")


@pytest.fixture
async def shop(database: Database) -> Followed:
    shop = Followed(database.dsn, f"slot_{database.name}")
    shop.execute("CREATE TABLE orders (id int PRIMARY KEY)")
    await ensure(shop.dsn, shop.name, shop.name, [ORDERS], manage=True)
    return shop


def as_role(shop: Followed) -> str:
    return shop.dsn.replace("//postgres@", f"//{shop.name}@")


def publications(shop: Followed) -> list[str]:
    found: list[str] = shop.ask("SELECT array_agg(pubname::text ORDER BY pubname) FROM pg_publication") or []
    return found


async def test_what_is_gone_already_is_not_missed(shop: Followed) -> None:
    shop.execute(f"DROP PUBLICATION {shop.name}")
    dropped = await teardown(shop.dsn, shop.name, shop.name)
    assert str(dropped) == f"slot {shop.name} and publication {inserts_name(shop.name)}"
    assert not await teardown(shop.dsn, shop.name, shop.name)


async def test_a_slot_that_has_lost_its_wal_is_dropped_unless_it_is_none_of_ours(make_cluster: MakeCluster) -> None:
    settings = {"max_slot_wal_keep_size": "1MB", "min_wal_size": "32MB", "max_wal_size": "32MB"}
    shop = Followed(make_cluster(settings=settings).dsn(), "lost")
    shop.execute("CREATE TABLE orders (id int PRIMARY KEY)", "SELECT pg_create_physical_replication_slot('s', true)")
    await ensure(shop.dsn, "lost", "lost", [ORDERS], manage=True)

    def lost() -> bool:
        shop.execute("CREATE TABLE filler AS SELECT 1", "DROP TABLE filler", "SELECT pg_switch_wal()", "CHECKPOINT")
        return bool(shop.ask("SELECT bool_and(wal_status = 'lost') FROM pg_replication_slots"))

    await eventually(lost)
    with pytest.raises(ConfigurationError, match="it is a physical slot"):
        await teardown(shop.dsn, "s", "lost")
    assert [kind for kind, _ in (await teardown(shop.dsn, "lost", "lost")).droppable] == ["slot", *["publication"] * 2]
    assert shop.ask("SELECT array_agg(slot_name::text) FROM pg_replication_slots") == ["s"]
    assert publications(shop) == []


async def test_a_slot_in_use_is_refused_and_nothing_is_dropped(shop: Followed) -> None:
    source = shop.source()
    batches = source.batches({})
    reading = asyncio.ensure_future(anext(batches))
    try:
        await eventually(lambda: shop.slot("active_pid") is not None)
        with pytest.raises(ConfigurationError, match="it is in use by server process") as caught:
            await teardown(shop.dsn, shop.name, shop.name)
        assert caught.value.problems[0].hint == "stop the connector that follows it first"
        assert len(publications(shop)) == 2
    finally:
        reading.cancel()
        await asyncio.gather(reading, return_exceptions=True)
        await batches.aclose()


async def test_a_publication_of_another_role_is_left_to_it(shop: Followed) -> None:
    shop.execute(f"CREATE ROLE {shop.name} LOGIN REPLICATION")
    dropped = await teardown(as_role(shop), shop.name, shop.name)
    assert str(dropped) == f"slot {shop.name}"
    names = [shop.name, inserts_name(shop.name)]
    assert publications(shop) == sorted(names)
    assert [problem.where for problem in dropped.others] == [f"publication {name}" for name in names]
    shop.execute(*[problem.hint.removeprefix("let its owner or a DBA run: ") for problem in dropped.others])
    assert not await leftovers(shop.dsn, shop.name, shop.name)


async def test_a_role_that_may_not_drop_the_slot_gets_the_sql_for_those_who_may(shop: Followed) -> None:
    shop.execute(f"CREATE ROLE {shop.name} LOGIN")
    with pytest.raises(ConfigurationError) as caught:
        await teardown(as_role(shop), shop.name, shop.name)
    [problem] = caught.value.problems
    assert problem.hint == f"let a DBA run:\n{statements(shop.name, shop.name)}"
    shop.execute(*statements(shop.name, shop.name).splitlines())
    assert not await leftovers(shop.dsn, shop.name, shop.name)
