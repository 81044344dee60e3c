"""Slots of ours that nobody reads are told, with what they cost and how to drop them."""

from __future__ import annotations

import asyncio

import pytest

from connector.model.errors import Problem
from connector.source.checks.preflight import preflight
from connector.source.objects.slot import create_slot
from tests.support.fixtures.postgres import Database
from tests.support.postgres.followed_database import Followed, eventually, follow


@pytest.fixture
def shop(database: Database) -> Followed:
    """Its slots begin with what only ours begin with, and go with the database."""
    return Followed(database.dsn, f"redo_connector_{database.name}")


async def told(shop: Followed, own: str, former: tuple[str, ...] = ()) -> list[Problem]:
    found = (await preflight(shop.dsn, own, own, [], manage=True, former_slots=former)).problems
    return [problem for problem in found if "nobody has read" in problem.what]


async def test_a_slot_by_our_name_that_nobody_reads_is_told_and_its_statement_drops_it(shop: Followed) -> None:
    await create_slot(shop.dsn, shop.name)
    shop.execute("CREATE TABLE written AS SELECT generate_series(1, 30000)")
    [problem] = await told(shop, "another")
    assert problem.warning
    assert problem.where == f"slot {shop.name}"
    assert f"in database {shop.dsn.rsplit('/', 1)[1]}" in problem.what
    assert " kB of WAL (wal_status reserved)" in problem.what
    version = shop.ask("SELECT current_setting('server_version_num')::int")
    assert (" since 20" in problem.what) is (version >= 170000)
    shop.execute(problem.hint.removeprefix("if no connector needs it: "))
    assert await told(shop, "another") == []


async def test_the_own_slot_and_slots_of_others_are_not_told(shop: Followed) -> None:
    await create_slot(shop.dsn, shop.name)
    await create_slot(shop.dsn, f"x_{shop.name}")
    assert await told(shop, shop.name) == []


async def test_a_slot_by_another_name_is_told_once_the_store_has_known_it(shop: Followed) -> None:
    await create_slot(shop.dsn, f"x_{shop.name}")
    assert await told(shop, shop.name) == []
    [problem] = await told(shop, shop.name, former=(f"x_{shop.name}", "gone"))
    assert problem.where == f"slot x_{shop.name}"


async def test_a_slot_that_is_read_is_not_told(database: Database, shop: Followed) -> None:
    followed = follow(database.dsn, shop.name, "CREATE TABLE orders (id int PRIMARY KEY)", "orders")
    batches = followed.source().batches({})
    reading = asyncio.ensure_future(anext(batches))
    try:
        await eventually(lambda: shop.slot("active_pid") is not None)
        assert await told(shop, "another") == []
    finally:
        reading.cancel()
        await asyncio.gather(reading, return_exceptions=True)
        await batches.aclose()


async def test_a_slot_in_another_database_is_told_with_its_name(shop: Followed, oms: Database) -> None:
    await create_slot(oms.dsn, shop.name)
    [problem] = await told(shop, "another")
    assert f"in database {oms.name}" in problem.what
    shop.execute(problem.hint.removeprefix("if no connector needs it: "))
    assert shop.slot("1") is None


async def test_a_publication_of_an_earlier_name_is_told_only_when_it_makes_the_oms_fail(shop: Followed) -> None:
    shop.execute("CREATE TABLE odd (id int PRIMARY KEY)", "CREATE PUBLICATION redo_connector_old FOR TABLE odd")
    assert (await preflight(shop.dsn, shop.name, shop.name, [], manage=True)).problems == []
    shop.execute("ALTER TABLE odd DROP CONSTRAINT odd_pkey", "INSERT INTO odd VALUES (1)")
    assert (await preflight(shop.dsn, shop.name, "redo_connector_old", [], manage=True)).problems != []
    [problem] = (await preflight(shop.dsn, shop.name, shop.name, [], manage=True)).problems
    assert problem.warning
    assert problem.what.startswith("UPDATEs and DELETEs of public.odd fail")
    shop.execute(problem.hint.removeprefix("if no connector needs it: "), "UPDATE odd SET id = 2")
    assert (await preflight(shop.dsn, shop.name, shop.name, [], manage=True)).problems == []
