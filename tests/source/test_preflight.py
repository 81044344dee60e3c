"""Checks before the first run, on a real server: each hint is run, and then the check passes."""

from __future__ import annotations

import pytest

from connector.model.changes import TableName
from connector.source.checks.preflight import preflight
from connector.source.objects.setup import ensure
from connector.source.objects.slot import create_slot
from tests.support.fixtures.postgres import Database, MakeCluster
from tests.support.postgres.followed_database import Followed

ORDERS = TableName("oms", "orders")


@pytest.fixture
def shop(database: Database) -> Followed:
    shop = Followed(database.dsn, f"slot_{database.name}")
    shop.execute("CREATE SCHEMA oms", "CREATE TABLE oms.orders (id int PRIMARY KEY)")
    return shop


def as_role(shop: Followed) -> str:
    return shop.dsn.replace("//postgres@", f"//{shop.name}@")


async def test_a_fit_database_has_no_problems_before_and_after_setup(shop: Followed) -> None:
    assert (await preflight(shop.dsn, shop.name, shop.name, [ORDERS], manage=True)).problems == []
    await ensure(shop.dsn, shop.name, shop.name, [ORDERS], manage=True)
    for manage in (True, False):
        assert (await preflight(shop.dsn, shop.name, shop.name, [ORDERS], manage)).problems == []


async def test_checking_changes_nothing(shop: Followed) -> None:
    await preflight(shop.dsn, shop.name, shop.name, [ORDERS], manage=True)
    assert shop.slot("1") is None
    assert shop.ask("SELECT count(*) FROM pg_publication") == 0


@pytest.mark.parametrize("dsn", ["postgresql://me:hunter2@127.0.0.1:1/shop", "host=h hunter2"])
async def test_an_unreachable_or_unreadable_database_is_one_problem_without_secrets(dsn: str) -> None:
    [problem] = (await preflight(dsn, "s", "p", [ORDERS], manage=True)).problems
    assert problem.where == "source.dsn"
    assert problem.hint
    assert "hunter2" not in str(problem)


async def test_every_missing_privilege_is_told_and_running_the_hints_is_enough(shop: Followed) -> None:
    shop.execute(f"CREATE ROLE {shop.name} LOGIN")
    found = (await preflight(as_role(shop), shop.name, shop.name, [ORDERS], manage=False)).problems
    assert [problem.what for problem in found] == [
        f"role {shop.name} may not replicate",
        "there is no such publication",
        "there is no such slot",
    ]
    shop.execute(*[problem.hint.removeprefix("let a superuser run: ") for problem in found])
    assert (await preflight(as_role(shop), shop.name, shop.name, [ORDERS], manage=False)).problems == []


async def test_a_role_that_may_not_publish_is_told_so_before_it_tries(shop: Followed) -> None:
    shop.execute(
        f"CREATE ROLE {shop.name} LOGIN REPLICATION",
    )
    [problem] = (await preflight(as_role(shop), shop.name, shop.name, [ORDERS], manage=True)).problems
    assert problem.where == f"publication {shop.name}"
    shop.execute(problem.hint)
    assert (await preflight(as_role(shop), shop.name, shop.name, [ORDERS], manage=True)).problems == []


async def test_a_table_that_can_not_be_followed_is_told_among_the_rest(shop: Followed) -> None:
    shop.execute("CREATE TABLE oms.keyless (id int)")
    tables = [ORDERS, TableName("oms", "keyless"), TableName("oms", "absent")]
    found = (await preflight(shop.dsn, shop.name, shop.name, tables, manage=True)).problems
    assert {problem.where for problem in found} == {"oms.keyless", "oms.absent"}


async def test_wal_level_and_capacity_are_told_with_the_setting_to_change(make_cluster: MakeCluster) -> None:
    settings = {"wal_level": "replica", "max_wal_senders": "0", "max_replication_slots": "0"}
    shop = Followed(make_cluster(settings=settings).dsn(), "small")
    found = (await preflight(shop.dsn, shop.name, shop.name, [], manage=True)).problems
    assert [problem.what for problem in found if problem.where != "publication small"] == [
        "wal_level is replica",
        "all 0 replication slots are taken",
        "all 0 WAL senders are taken",
    ]


async def test_a_full_server_has_room_for_a_slot_that_is_there_already(make_cluster: MakeCluster) -> None:
    shop = Followed(make_cluster(settings={"max_replication_slots": "1"}).dsn(), "only")
    assert (await preflight(shop.dsn, "only", "only", [], manage=True)).problems == []
    await create_slot(shop.dsn, "only")
    assert (await preflight(shop.dsn, "only", "only", [], manage=True)).problems == []
    [problem] = (await preflight(shop.dsn, "another", "only", [], manage=True)).problems
    assert "max_replication_slots above 1" in problem.hint
