"""What a mapping needs to read: enough for every query of ours, and nothing in it that could be left out.

Every accepted mapping of tests/projection/mappings is run by a role that has the needed columns and schemas, and no
more; then again with each single column taken away.
"""

from __future__ import annotations

from collections.abc import Iterator

import psycopg
import pytest
from psycopg import sql

from connector.model.changes import TableName
from connector.projection import Projection, load
from connector.projection.assembly import statements
from connector.projection.routes.required_privileges import RequiredPrivileges
from connector.projection.sql.keys import array_literal
from tests.projection.cases import ACCEPTED, Case, one_in, shop, shop_template
from tests.support.fixtures.postgres import Database, create_database, drop_database

__all__ = ["shop", "shop_template"]

ROLE = "needy"


@pytest.fixture(scope="module")
def needy(shop_template: Database) -> Iterator[Database]:
    """A database with a role that may log in and nothing else."""
    made = create_database(shop_template.cluster, shop_template.name)
    with made.connect() as conn:
        conn.execute(f"CREATE ROLE {ROLE} LOGIN")
    yield made
    with made.connect() as conn:
        conn.execute(f"DROP OWNED BY {ROLE}")
        conn.execute(f"DROP ROLE {ROLE}")
    drop_database(made.cluster, made.name)


async def loaded(case: Case, database: Database, user: str = "postgres") -> Projection:
    return await load(
        case.text,
        path="mapping.sql",
        read_dsn=database.cluster.dsn(database.name, user=user),
        timezone="UTC",
        statement_timeout_ms=10_000,
        sweep_tables=case.sweep_tables,
    )


def queries(projection: Projection) -> list[tuple[str, int]]:
    """All that is ever run for a mapping, with how many arrays each takes."""
    keys = len(projection.key)
    found = [
        (statements.assemble(projection).replace(f"${keys + 1}::int8", "1"), keys),
        (statements.present(projection), keys),
        (statements.page(projection, None, continued=False).replace("$1::int8", "1"), 0),
        (statements.explain_count(projection).removeprefix("EXPLAIN (FORMAT JSON) "), 0),
    ]
    for use in projection.uses:
        lookup = use.route.lookup
        if lookup is not None:
            arrays = len(lookup.value_types)
            query = statements.page(projection, lookup, continued=False)
            found.append((query.replace(f"${arrays + 1}::int8", "1"), arrays))
    return list(dict.fromkeys(found))


def columns_of(conn: psycopg.Connection, name: TableName) -> list[str]:
    query = "SELECT attname::text FROM pg_attribute WHERE attrelid = %s::regclass AND attnum > 0 AND NOT attisdropped"
    return [row[0] for row in conn.execute(query, (sql.Identifier(name.schema, name.name).as_string(),)).fetchall()]


def let(conn: psycopg.Connection, privileges: RequiredPrivileges) -> list[tuple[TableName, str]]:
    """Give the role what is needed, column by column."""
    for schema in privileges.schemas:
        conn.execute(sql.SQL("GRANT USAGE ON SCHEMA {} TO {}").format(sql.Identifier(schema), sql.Identifier(ROLE)))
    given = []
    for name, columns in privileges.columns.items():
        wanted = columns_of(conn, name) if columns is None else sorted(columns)
        for column in wanted or columns_of(conn, name)[:1]:
            change(conn, "GRANT", name, column)
            given += [(name, column)] if wanted else []
    return given


def change(conn: psycopg.Connection, verb: str, name: TableName, column: str) -> None:
    query = sql.SQL("{} SELECT ({}) ON {} {} {}").format(
        sql.SQL(verb),
        sql.Identifier(column),
        sql.Identifier(name.schema, name.name),
        sql.SQL("TO" if verb == "GRANT" else "FROM"),
        sql.Identifier(ROLE),
    )
    conn.execute(query)


def refusal(conn: psycopg.Connection, asked: list[tuple[str, int]]) -> str | None:
    """The first of the queries that the role may not run, with the server's words; the transaction goes on."""
    with conn.transaction(force_rollback=True), psycopg.RawCursor(conn) as cursor:
        cursor.execute(f"SET LOCAL ROLE {ROLE}".encode())
        for query, arrays in asked:
            try:
                cursor.execute(f"EXPLAIN {query}".encode(), [array_literal(())] * arrays)
            except psycopg.errors.InsufficientPrivilege as error:
                return f"{error.diag.message_primary}: {query}"
    return None


@pytest.mark.parametrize("case", one_in(3, ACCEPTED))
async def test_what_is_needed_is_enough_and_no_column_too_many(case: Case, needy: Database) -> None:
    projection = await loaded(case, needy)
    asked = queries(projection)
    with psycopg.connect(needy.dsn) as conn:
        given = let(conn, projection.privileges)
        assert refusal(conn, asked) is None
        spare = []
        for name, column in given:
            with conn.transaction(force_rollback=True):
                change(conn, "REVOKE", name, column)
                if refusal(conn, asked) is None:
                    spare.append(f"{name}.{column}")
        conn.rollback()
    assert spare == []


async def test_a_cte_is_not_taken_for_a_function_of_its_name(needy: Database) -> None:
    text = """WITH lines (order_id, n) AS (SELECT order_id, count(*) FROM shop.item GROUP BY 1)
        SELECT o.id, lines.n FROM shop.orders o LEFT JOIN lines ON lines.order_id = o.id"""
    with needy.connect() as conn:
        conn.execute("CREATE FUNCTION shop.lines(int) RETURNS int LANGUAGE sql IMMUTABLE AS 'SELECT $1'")
        conn.execute("REVOKE EXECUTE ON FUNCTION shop.lines(int) FROM PUBLIC")
        let(conn, (await loaded(Case("lines", text), needy)).privileges)
    try:
        assert "lines" not in (await loaded(Case("lines", text), needy, ROLE)).privileges.called
    finally:
        with needy.connect() as conn:
            conn.execute(f"DROP OWNED BY {ROLE}")
