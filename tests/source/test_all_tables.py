"""A publication of our name that a DBA made for all tables, or for a schema: whose statements fail for it is told,
mapped or not, it is left as it is, and nothing of ours makes it worse."""

from __future__ import annotations

from collections.abc import AsyncIterator

import psycopg
import pytest

from connector.model.changes import TableName
from connector.model.errors import ConfigurationError
from connector.postgres.connections import KeptConnection
from connector.source.checks.preflight import preflight
from connector.source.objects.drift import ObjectWatch
from connector.source.objects.publication_repair import PublicationRepair
from connector.source.objects.setup import ensure, mend
from tests.support.fixtures.postgres import Database
from tests.support.postgres.followed_database import Followed

ORDERS = TableName("public", "orders")
TABLES = [ORDERS]
CLAUSES = ["ALL TABLES", "TABLES IN SCHEMA public"]


@pytest.fixture
def shop(database: Database) -> Followed:
    shop = Followed(database.dsn, f"slot_{database.name}")
    shop.execute("CREATE TABLE orders (id int PRIMARY KEY)", "CREATE TABLE audit (id int)")
    shop.execute("INSERT INTO orders VALUES (1)", "INSERT INTO audit VALUES (1)")
    return shop


@pytest.fixture
async def looks(shop: Followed) -> AsyncIterator[KeptConnection]:
    made = KeptConnection(shop.dsn)
    yield made
    await made.close()


def publish(shop: Followed, database: Database, clause: str, operations: str = "") -> None:
    if clause != "ALL TABLES" and database.cluster.version < 15:
        pytest.skip("schemas are published from Postgres 15 on")
    options = f" WITH (publish = '{operations}')" if operations else ""
    shop.execute(f"CREATE PUBLICATION {shop.name} FOR {clause}{options}")


def fails(shop: Followed, table: str) -> bool:
    try:
        shop.execute(f"UPDATE {table} SET id = id")
    except psycopg.errors.ObjectNotInPrerequisiteState:
        return True
    return False


@pytest.mark.parametrize("clause", CLAUSES)
@pytest.mark.parametrize("manage", [True, False])
async def test_check_names_the_unmapped_tables_whose_statements_fail_and_what_mends_it(
    shop: Followed, database: Database, clause: str, manage: bool
) -> None:
    publish(shop, database, clause)
    assert fails(shop, "audit")
    if not manage:
        await ensure(shop.dsn, shop.name, shop.name, TABLES, manage=True)
    found = (await preflight(shop.dsn, shop.name, shop.name, TABLES, manage)).problems
    [said] = [each for each in found if "public.audit" in each.what]
    assert said.warning
    assert said.where == f"publication {shop.name}"
    assert "REPLICA IDENTITY FULL" in said.hint
    shop.execute("ALTER TABLE audit REPLICA IDENTITY FULL")
    assert not fails(shop, "audit")
    found = (await preflight(shop.dsn, shop.name, shop.name, TABLES, manage)).problems
    assert not [each for each in found if "public.audit" in each.what]


@pytest.mark.parametrize("clause", CLAUSES)
async def test_a_connector_that_runs_tells_it_and_leaves_the_publication_alone(
    shop: Followed, database: Database, looks: KeptConnection, clause: str
) -> None:
    publish(shop, database, clause, "insert, update, delete, truncate")
    await ensure(shop.dsn, shop.name, shop.name, TABLES, manage=True)
    watch, repair = ObjectWatch(looks, shop.name, shop.name, TABLES), PublicationRepair(looks, shop.name)
    drift = await watch.look()
    assert drift.exposed == (TableName("public", "audit"),)
    assert not drift.to_mend
    shop.execute("ALTER TABLE orders DROP CONSTRAINT orders_pkey")
    assert fails(shop, "orders")
    drift = await watch.look()
    assert drift.endangered == (ORDERS,)
    stamp = f"SELECT concat_ws(' ', oid, xmin) FROM pg_publication WHERE pubname = '{shop.name}'"
    before = shop.ask(stamp)
    assert await repair.look() == []
    with pytest.raises(ConfigurationError, match=r"covers public\.orders without naming them"):
        await mend(shop.dsn, shop.name, shop.name, TABLES)
    assert shop.ask(stamp) == before
    shop.execute("ALTER TABLE orders ADD PRIMARY KEY (id)", "ALTER TABLE audit ADD PRIMARY KEY (id)")
    drift = await watch.look()
    assert drift.exposed == drift.endangered == ()


@pytest.mark.parametrize("clause", CLAUSES)
async def test_it_is_never_made_to_publish_updates_that_would_fail_then(
    shop: Followed, database: Database, clause: str
) -> None:
    publish(shop, database, clause, "insert, truncate")
    assert not fails(shop, "audit")
    for manage in (True, False):
        with pytest.raises(ConfigurationError) as caught:
            await ensure(shop.dsn, shop.name, shop.name, TABLES, manage)
        assert "would make those of public.audit fail" in str(caught.value)
        assert "ALTER PUBLICATION" not in str(caught.value)
    assert not fails(shop, "audit")
    shop.execute("ALTER TABLE audit ADD PRIMARY KEY (id)")
    await ensure(shop.dsn, shop.name, shop.name, TABLES, manage=True)
    assert shop.ask(f"SELECT pubupdate FROM pg_publication WHERE pubname = '{shop.name}'")
    assert not fails(shop, "audit")
