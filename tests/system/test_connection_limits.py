"""Roles that may not log in, and limits of connections: told as they are, and as few are needed as can be."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator

import psycopg
import pytest
from psycopg.conninfo import make_conninfo

from connector.model.errors import SourceUnavailable
from connector.postgres.connections import connection
from connector.postgres.errors import CONNECTIONS_NEEDED
from connector.source.checks.connection_limits import READING, limit_problems
from connector.source.checks.replica import replica_problems
from tests.support.fixtures.connector import Rig, eventually
from tests.support.fixtures.postgres import Database
from tests.support.fixtures.served_connector import look_often, serving


@pytest.fixture
def reader(filled_oms: Database) -> Iterator[str]:
    """A DSN whose role may read the OMS and nothing else."""
    with filled_oms.connect() as conn:
        conn.execute("CREATE ROLE reader LOGIN")
        conn.execute("GRANT USAGE ON SCHEMA oms TO reader")
        conn.execute("GRANT SELECT ON ALL TABLES IN SCHEMA oms TO reader")
    yield make_conninfo(filled_oms.dsn, user="reader")
    with filled_oms.connect() as conn:
        conn.execute("SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE usename = 'reader'")
        conn.execute("DROP OWNED BY reader")
        conn.execute("DROP ROLE reader")


def alter(database: Database, *statements: str) -> None:
    with database.connect() as conn:
        for statement in statements:
            conn.execute(statement.encode())


END = "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE usename = 'reader'"
REFUSED = {
    "no LOGIN": ("ALTER ROLE reader NOLOGIN", 'ALTER ROLE "reader" LOGIN;'),
    "a limit of none": ("ALTER ROLE reader CONNECTION LIMIT 0", 'ALTER ROLE "reader" CONNECTION LIMIT n;'),
    "no room in the database": ("ALTER DATABASE {} CONNECTION LIMIT 0", "CONNECTION LIMIT n;"),
    "no CONNECT": ("REVOKE CONNECT ON DATABASE {} FROM PUBLIC", 'TO "reader";'),
    "a role that isn't there": ("ALTER ROLE reader RENAME TO other", "`redo-connector grants`"),
}


@pytest.mark.parametrize(("statement", "remedy"), REFUSED.values(), ids=REFUSED)
async def test_why_the_server_lets_us_not_in_is_told_with_what_to_do(
    filled_oms: Database, reader: str, statement: str, remedy: str
) -> None:
    alter(filled_oms, statement.format(filled_oms.name))
    try:
        with pytest.raises(SourceUnavailable) as caught:
            async with connection(reader):
                pass
    finally:
        if "RENAME" in statement:
            alter(filled_oms, "ALTER ROLE other RENAME TO reader")
    assert remedy in caught.value.hint


async def test_check_says_beforehand_that_the_limits_of_role_or_database_are_too_low(
    filled_oms: Database, reader: str
) -> None:
    async def told(needed: int = CONNECTIONS_NEEDED) -> list[tuple[str, bool]]:
        async with connection(reader) as conn:
            return [(each.hint, each.warning) for each in await limit_problems(conn, needed, "source.dsn")]

    assert await told() == []
    alter(filled_oms, "ALTER ROLE reader CONNECTION LIMIT 4", f"ALTER DATABASE {filled_oms.name} CONNECTION LIMIT 5")
    assert await told() == []
    with psycopg.connect(make_conninfo(reader, application_name="a report")):
        assert await told() == [('let a DBA run: ALTER ROLE "reader" CONNECTION LIMIT 5;', True)]
    alter(filled_oms, "ALTER ROLE reader CONNECTION LIMIT 2")
    assert await told() == [('let a DBA run: ALTER ROLE "reader" CONNECTION LIMIT 4;', False)]
    assert await told(READING) == [('let a DBA run: ALTER ROLE "reader" CONNECTION LIMIT 3;', True)]
    found = await replica_problems(filled_oms.dsn, reader)
    assert [each.where for each in found] == ["source.read_dsn"]


async def test_a_running_connector_holds_no_more_connections_than_it_says(
    rig: Rig, monkeypatch: pytest.MonkeyPatch
) -> None:
    """While all is read, the mapping is analysed anew and the publication is mended."""
    look_often(monkeypatch)
    most = {"client backend": 0, "walsender": 0}
    kinds = (
        "SELECT backend_type, count(*) FROM pg_stat_activity WHERE datname = current_database()"
        " AND application_name = 'redo-connector' GROUP BY 1"
    )

    async def count() -> None:
        async with await psycopg.AsyncConnection.connect(rig.dsn, autocommit=True, application_name="test") as conn:
            while True:
                for kind, number in await (await conn.execute(kinds.encode())).fetchall():
                    most[kind] = max(most[kind], number)
                await asyncio.sleep(0)

    async with serving(rig) as served:
        counting = asyncio.create_task(count())
        try:
            for number in range(3):
                rig.execute(f"UPDATE oms.order_header SET tag_list = 'round{number}'")
                rig.execute("ALTER PUBLICATION redo_connector DROP TABLE oms.order_header")
                rig.execute(f"ALTER TABLE oms.order_header ADD more_{number} int")
                await eventually("it is mended", lambda: published(rig))
                await served.quiet()
        finally:
            counting.cancel()
            await asyncio.gather(counting, return_exceptions=True)
    assert most["walsender"] == 1
    assert 2 <= most["client backend"] <= CONNECTIONS_NEEDED


def published(rig: Rig) -> bool:
    with rig.database.connect() as conn:
        query = "SELECT FROM pg_publication_rel WHERE prrelid = 'oms.order_header'::regclass"
        return conn.execute(query).rowcount == 1


async def test_one_connection_to_read_with_is_enough(rig: Rig, reader: str) -> None:
    """Two may be, and somebody else has one of them."""
    rig.execute("ALTER ROLE reader CONNECTION LIMIT 2")
    rig.overrides = {"source": {"read_dsn": reader}}
    with psycopg.connect(make_conninfo(reader, application_name="a report")):
        await rig.start()
        await eventually("all are there", lambda: len(rig.sandbox.state.orders) == 40)
        rig.execute("UPDATE oms.order_header SET tag_list = 'changed'")
        await rig.quiet()
        assert (await rig.verdict()).clean


LOCKED_OUT = {
    "may not log in": ("ALTER ROLE reader NOLOGIN", "ALTER ROLE reader LOGIN", 'ALTER ROLE "reader" LOGIN;'),
    "no connection left": (
        "ALTER ROLE reader CONNECTION LIMIT 0",
        "ALTER ROLE reader CONNECTION LIMIT -1",
        'ALTER ROLE "reader" CONNECTION LIMIT n;',
    ),
}


@pytest.mark.parametrize(
    ("shut", "opened", "remedy"),
    [
        pytest.param(*each, id=name, marks=[pytest.mark.long] if name == "may not log in" else [])
        for name, each in LOCKED_OUT.items()
    ],
)
async def test_a_reading_role_that_is_locked_out_meanwhile_is_named_and_all_goes_on_once_it_may_again(
    rig: Rig, reader: str, monkeypatch: pytest.MonkeyPatch, shut: str, opened: str, remedy: str
) -> None:
    look_often(monkeypatch)
    rig.overrides = {"source": {"read_dsn": reader}}
    async with serving(rig) as served:
        alter(rig.database, shut, END)
        rig.execute("UPDATE oms.order_header SET tag_list = 'unread'")

        async def told() -> bool:
            alter(rig.database, END)
            return remedy in ((await served.facts())["reason"] or "")

        await eventually("the page says why", told)
        alter(rig.database, opened)
        await served.quiet()
