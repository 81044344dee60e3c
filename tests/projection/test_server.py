"""The checks that trust the server, not our reading of the text: whatever the analysis misses, they find."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from psycopg.conninfo import make_conninfo

from connector.model.errors import ConfigurationError
from connector.projection import Projection, load
from connector.projection.analysis.scopes import Scope
from connector.projection.catalog import views
from connector.projection.catalog.functions import Functions
from tests.projection.cases import shop, shop_template
from tests.support.fixtures.postgres import Database

__all__ = ["shop", "shop_template"]

MAPPING = "SELECT o.id, n.body FROM shop.orders o JOIN shop.note n ON n.order_id = o.id"


async def loaded(text: str, dsn: str) -> Projection:
    return await load(text, path="mapping.sql", read_dsn=dsn, timezone="UTC", statement_timeout_ms=10_000)


def blind(monkeypatch: pytest.MonkeyPatch, table: str) -> None:
    """Make the analysis miss every use of a table."""
    uses: Callable[[Scope], Any] = Scope.uses
    monkeypatch.setattr(Scope, "uses", lambda scope: (use for use in uses(scope) if use.table.name.name != table))


async def test_a_table_that_the_analysis_missed_is_found_by_the_servers_locks(
    shop_template: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert len((await loaded(MAPPING, shop_template.dsn)).tables) == 2
    blind(monkeypatch, "note")
    with pytest.raises(ConfigurationError, match=r"reads other tables than the analysis found: shop\.note"):
        await loaded(MAPPING, shop_template.dsn)


async def test_a_table_of_a_view_that_the_analysis_missed_is_found(
    shop_template: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    blind(monkeypatch, "product")
    text = "SELECT o.id, n.names FROM shop.orders o JOIN shop.item_names n ON n.order_id = o.id"
    with pytest.raises(ConfigurationError, match=r"shop\.product"):
        await loaded(text, shop_template.dsn)


async def test_a_table_that_only_the_plan_shows_is_found(shop: Database, monkeypatch: pytest.MonkeyPatch) -> None:
    """A SQL function that gives rows is put in the query's place by the planner: no lock before planning shows it."""
    with shop.connect() as connection:
        body = "SELECT * FROM shop.item WHERE order_id = $1"
        query = f"CREATE FUNCTION shop.items_of(bigint) RETURNS SETOF shop.item LANGUAGE sql STABLE AS '{body}'"
        connection.execute(query)
    text = "SELECT o.id, i.qty FROM shop.orders o, shop.items_of(o.id) i"
    with pytest.raises(ConfigurationError, match="the function items_of may read tables"):
        await loaded(text, shop.dsn)

    async def nothing_known(*_: object) -> Functions:
        return Functions()

    monkeypatch.setattr(views, "read_functions", nothing_known)
    with pytest.raises(ConfigurationError, match=r"plan reads tables that the analysis did not find: shop\.item"):
        await loaded(text, shop.dsn)


async def test_a_table_in_a_policy_of_row_security_is_found(shop: Database) -> None:
    with shop.connect() as connection:
        connection.execute("ALTER TABLE shop.orders ENABLE ROW LEVEL SECURITY")
        connection.execute("CREATE POLICY noted ON shop.orders USING (id IN (SELECT order_id FROM shop.note))")
        connection.execute("CREATE ROLE watched LOGIN")
        connection.execute("GRANT USAGE ON SCHEMA shop TO watched")
        connection.execute("GRANT SELECT ON ALL TABLES IN SCHEMA shop TO watched")
    try:
        with pytest.raises(ConfigurationError, match=r"shop\.note"):
            await loaded("SELECT o.id FROM shop.orders o", make_conninfo(shop.dsn, user="watched"))
    finally:
        with shop.connect() as connection:
            connection.execute("DROP OWNED BY watched")
            connection.execute("DROP ROLE watched")


async def test_partitions_and_children_are_parts_of_their_tables(shop_template: Database) -> None:
    text = """SELECT o.id, e.kind, l.qty FROM shop.orders o
        LEFT JOIN shop.event e ON e.order_id = o.id LEFT JOIN shop.base_line l ON l.order_id = o.id"""
    tables = {str(name) for name in (await loaded(text, shop_template.dsn)).tables}
    lines = {"shop.base_line", "shop.gift_line", "shop.late_gift_line"}
    assert tables == {"shop.orders", "shop.event", *lines}


@pytest.mark.parametrize("body", ["SELECT count(*) FROM shop.note WHERE order_id = $1", "SELECT $1"])
async def test_a_function_with_a_parsed_body_is_judged_by_what_it_depends_on(shop: Database, body: str) -> None:
    with shop.connect() as connection:
        if connection.info.server_version < 140000:
            pytest.skip("SQL-standard function bodies came with 14")
        query = f"CREATE FUNCTION shop.counted(bigint) RETURNS bigint LANGUAGE sql IMMUTABLE BEGIN ATOMIC {body}; END"
        connection.execute(query)
    text = "SELECT o.id, shop.counted(o.id) AS n FROM shop.orders o"
    if "FROM" not in body:
        assert len((await loaded(text, shop.dsn)).tables) == 1
        return
    with pytest.raises(ConfigurationError, match="counted may read tables whose changes could not be followed"):
        await loaded(text, shop.dsn)


async def test_a_view_is_found_by_the_search_path_and_a_change_of_it_changes_the_fingerprint(shop: Database) -> None:
    with shop.connect() as connection:
        connection.execute(f"ALTER DATABASE {shop.name} SET search_path = shop")
    text = "SELECT v.id, v.status FROM order_view v"
    before = await loaded(text, shop.dsn)
    assert str(before.order_table) == "shop.orders"
    assert before.statement == text.replace("order_view", '"shop".order_view')
    with shop.connect() as connection:
        connection.execute(
            "CREATE OR REPLACE VIEW shop.order_view AS SELECT id, upper(status) AS status FROM shop.orders"
        )
    assert (await loaded(text, shop.dsn)).fingerprint != before.fingerprint
