"""Two queries in one round trip, on a real server."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator

import psycopg
import pytest
from psycopg import AsyncRawCursor
from psycopg.pq import PipelineStatus, TransactionStatus

from connector.postgres.bounded import BoundedConnection, NoAnswer
from connector.postgres.query_pair import QueryPair
from tests.support.fixtures.connector import eventually
from tests.support.fixtures.postgres import Database

pytestmark = pytest.mark.server

COUNT = "SELECT count(*) FROM seen"


@pytest.fixture
async def connection(database: Database) -> AsyncIterator[BoundedConnection]:
    with database.connect() as conn:
        conn.execute("CREATE TABLE seen (n int)")
    opened = await BoundedConnection.open(database.dsn, 60.0, cursor_factory=AsyncRawCursor)
    await opened.execute("SET default_transaction_isolation TO 'repeatable read'")
    yield opened
    await opened.close()


async def test_the_second_query_sees_what_was_committed_while_the_first_one_ran(
    connection: BoundedConnection, database: Database
) -> None:
    with database.connect() as other:
        other.execute("SELECT pg_advisory_lock(1)")
        asked = asyncio.create_task(
            QueryPair(connection).rows(
                "SELECT (SELECT count(*) FROM seen), pg_advisory_lock($1::int)::text", [1], COUNT, []
            )
        )
        waiting = "SELECT 1 FROM pg_locks WHERE locktype = 'advisory' AND NOT granted"
        await eventually("it waits", lambda: other.execute(waiting).fetchall() != [])
        other.execute("INSERT INTO seen VALUES (1)")
        other.execute("SELECT pg_advisory_unlock(1)")
        first, then = await asked
    assert (first[0][0], then) == (0, [(1,)])


async def test_values_are_read_as_other_queries_read_them(connection: BoundedConnection) -> None:
    query = "SELECT $1::text, NULL::text, 7, unnest($2::text[])"
    parameters = ["Käse", '{"a","b,c"}']
    usual = await (await connection.execute(query, parameters)).fetchall()
    assert await QueryPair(connection).rows(query, parameters, COUNT, []) == (usual, [(0,)])


@pytest.mark.parametrize("fails", ["first", "then"])
async def test_a_query_that_fails_raises_its_error_and_leaves_the_connection_usable(
    connection: BoundedConnection, fails: str
) -> None:
    pair, bad = QueryPair(connection), ("SELECT 1 / $1::int", [0])
    with pytest.raises(psycopg.errors.DivisionByZero):
        await pair.rows(*(bad if fails == "first" else (COUNT, [])), *(bad if fails == "then" else (COUNT, [])))
    assert await pair.rows(COUNT, [], COUNT, []) == ([(0,)], [(0,)])


async def test_a_value_that_no_text_of_a_database_can_hold_is_refused_as_other_queries_refuse_it(
    connection: BoundedConnection,
) -> None:
    with pytest.raises(psycopg.DataError, match="NUL"):
        await QueryPair(connection).rows("SELECT $1::text", ["a\0b"], COUNT, [])


async def test_a_query_that_is_none_is_refused_and_may_be_asked_again(connection: BoundedConnection) -> None:
    pair = QueryPair(connection)
    for _ in range(2):
        with pytest.raises(psycopg.errors.UndefinedTable):
            await pair.rows("SELECT * FROM nowhere", [], COUNT, [])
    assert connection.info.transaction_status is TransactionStatus.IDLE


async def test_a_pair_that_is_cancelled_ends_at_once_and_leaves_the_connection_usable(
    connection: BoundedConnection, database: Database
) -> None:
    pair = QueryPair(connection)
    asked = asyncio.create_task(pair.rows("SELECT pg_sleep($1::float8)::text", [600], COUNT, []))
    with database.connect() as other:
        sleeping = "SELECT 1 FROM pg_stat_activity WHERE wait_event = 'PgSleep'"
        await eventually("it sleeps", lambda: other.execute(sleeping).fetchall() != [])
    asked.cancel()
    with pytest.raises(asyncio.CancelledError):
        await asked
    assert connection.pgconn.pipeline_status == PipelineStatus.OFF
    assert await pair.rows(COUNT, [], COUNT, []) == ([(0,)], [(0,)])


async def test_a_server_that_says_nothing_is_given_up(connection: BoundedConnection) -> None:
    connection.patience = 0.2
    with pytest.raises(NoAnswer):
        await QueryPair(connection).rows("SELECT pg_sleep($1::float8)::text", [600], COUNT, [])
    assert connection.closed


async def test_a_setting_holds_from_the_first_query_on_unless_that_fails(connection: BoundedConnection) -> None:
    pair, mode = QueryPair(connection), "SELECT current_setting('plan_cache_mode'), 1 / $1::int"
    setting = ["SET plan_cache_mode = force_generic_plan"]
    with pytest.raises(psycopg.errors.DivisionByZero):
        await pair.rows(mode, [0], COUNT, [], setting)
    assert await pair.rows(mode, [1], mode, [1]) == ([("auto", 1)], [("auto", 1)])
    assert await pair.rows(mode, [1], COUNT, [], setting) == ([("force_generic_plan", 1)], [(0,)])
    assert await pair.rows(mode, [1], COUNT, []) == ([("force_generic_plan", 1)], [(0,)])
