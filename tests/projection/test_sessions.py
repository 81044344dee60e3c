"""How a session plans what it reads."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterator

import psycopg
import pytest

from connector.projection.assembly import sessions
from connector.projection.assembly.plans.planner import plan_once
from connector.projection.assembly.sessions import ReadSettings, Session
from tests.support.fixtures.postgres import Database
from tests.support.oms.minimal_mapping import encoded_database

ASKED = "SELECT $1::int8 / $2::int8"
PLANS = "SELECT sum(custom_plans)::int, sum(generic_plans)::int FROM pg_prepared_statements WHERE statement = $1"


@pytest.fixture(params=["UTF8", "SQL_ASCII"])
def dsn(request: pytest.FixtureRequest, database: Database) -> Iterator[str]:
    """Of a database whose answers come in one round trip, and of one whose don't."""
    with encoded_database(database.cluster, f"{database.name}_encoded", request.param) as made:
        yield made.dsn


@pytest.fixture
async def session(dsn: str) -> AsyncIterator[Session]:
    opened = await Session.open(ReadSettings(dsn, 10_000))
    yield opened
    await opened.connection.close()


async def read(session: Session, divisor: int, *, plan_once: bool) -> None:
    await session.rows_and_later(ASKED, [1, divisor], "SELECT 1", [], plan_once=plan_once)


async def test_a_query_is_planned_once_or_for_its_values_as_it_is_asked_for_also_after_one_that_failed(
    session: Session,
) -> None:
    if session.connection.info.server_version < 140_000:
        pytest.skip("before Postgres 14 a server doesn't say how it planned")
    with pytest.raises(psycopg.errors.DivisionByZero):
        await read(session, 0, plan_once=True)
    await read(session, 1, plan_once=True)
    await read(session, 1, plan_once=True)
    await read(session, 1, plan_once=False)
    with pytest.raises(psycopg.errors.DivisionByZero):
        await read(session, 0, plan_once=True)
    await read(session, 1, plan_once=False)
    assert await session.rows(PLANS, [ASKED]) == [(2, 4)]


async def test_what_is_asked_after_a_query_that_was_planned_once_is_planned_for_its_values(session: Session) -> None:
    """As the search for what fails is, whose ranges have no bound at first."""
    for _ in range(2):
        await read(session, 1, plan_once=True)
        assert await session.rows("SELECT current_setting('plan_cache_mode')") == [("auto",)]


async def test_what_is_planned_once_is_planned_anew_after_a_time(
    session: Session, monkeypatch: pytest.MonkeyPatch
) -> None:
    plans: list[str] = []
    session.connection.add_notice_handler(lambda told: plans.append(told.message_detail or ""))
    for setting in ("debug_print_plan = on", "client_min_messages = log"):
        await session.connection.execute(f"SET {setting}".encode())

    async def planned() -> int:
        plans.clear()
        await read(session, 1, plan_once=True)
        return sum("OPEXPR" in plan for plan in plans)

    assert [await planned() for _ in range(3)] == [1, 0, 0]
    monkeypatch.setattr(sessions, "_PLANS_FOR", 0.0)
    assert [await planned() for _ in range(2)] == [1, 1]


async def test_a_plan_that_can_not_be_made_says_why_and_is_no_trouble_to_the_next_one(session: Session) -> None:
    for _ in range(2):
        with pytest.raises(psycopg.errors.DivisionByZero):
            await plan_once(session, "SELECT $1::int8 + 1 / 0")
    assert (await plan_once(session, "SELECT 1"))["Node Type"] == "Result"
