"""Connection poolers are recognised before anything is set through them. Each test runs before a small pooler of our
own and, where it is installed, before PgBouncer."""

from __future__ import annotations

from pathlib import Path

import psycopg
import pytest

from connector.demo import oms as demo_oms
from connector.inspect.checks import check
from connector.model.errors import ConfigurationError, SourceUnavailable
from connector.postgres import pooler
from connector.postgres.connections import connection, open_replication
from connector.projection.assembly.sessions import ReadSettings, connect
from connector.sandbox.server import SandboxServer
from connector.source.checks.preflight import preflight
from tests.support.fixtures.connector import Rig
from tests.support.fixtures.pooler import Pooling, small_pooler
from tests.support.fixtures.postgres import Database

SHARED = "a connection pooler in transaction mode"


def through(port: int, database: Database) -> str:
    return f"postgresql://postgres@127.0.0.1:{port}/{database.name}"


def read_only(dsn: str) -> set[str]:
    """What new clients of the pool find set, each in a server connection of its own."""
    clients = [psycopg.connect(dsn) for _ in range(4)]
    try:
        rows = [client.execute("SHOW default_transaction_read_only").fetchone() for client in clients]
    finally:
        for client in clients:
            client.close()
    return {row[0] for row in rows if row}


async def test_what_a_session_sets_reaches_other_clients_of_such_a_pooler(pooling: Pooling, database: Database) -> None:
    """The reason for all this: the OMS's next transaction would be read-only."""
    with pooling("transaction") as port:
        dsn = through(port, database)
        with psycopg.connect(dsn, autocommit=True) as ours:
            ours.execute("SELECT set_config('default_transaction_read_only', 'on', false)")
        assert "on" in read_only(dsn)


async def test_a_pooler_in_transaction_mode_is_refused_before_anything_is_set(
    pooling: Pooling, database: Database
) -> None:
    with pooling("transaction") as port:
        dsn = through(port, database)
        with pytest.raises(SourceUnavailable, match=SHARED) as caught:
            async with connection(dsn):
                pass
        assert caught.value.hint == pooler.HINT
        assert f"127.0.0.1:{port}/{database.name}" in str(caught.value)
        with pytest.raises(SourceUnavailable, match=SHARED):
            await connect(ReadSettings(dsn, 1000))
        assert read_only(dsn) == {"off"}


async def test_a_pooler_in_session_mode_may_be_read_through(pooling: Pooling, database: Database) -> None:
    with pooling("session") as port:
        session = await connect(ReadSettings(through(port, database), 1000))
        try:
            cursor = await session.execute("SHOW default_transaction_isolation")
            assert await cursor.fetchone() == ("repeatable read",)
        finally:
            await session.close()


async def test_a_pooler_in_statement_mode_is_refused(pooling: Pooling, database: Database) -> None:
    with pooling("statement") as port, pytest.raises(SourceUnavailable, match=SHARED):
        await connect(ReadSettings(through(port, database), 1000))


async def test_a_pooler_that_refuses_replication_is_named_as_one(pooling: Pooling, database: Database) -> None:
    with pooling("session") as port:
        with pytest.raises(SourceUnavailable, match="unsupported startup parameter: replication") as caught:
            await open_replication(through(port, database))
        assert "a connection pooler stands before it" in caught.value.hint
        [problem] = (await preflight(through(port, database), "slot", "pub", [], manage=True)).problems
    assert problem.where == "source.dsn"
    assert "a connection pooler stands before it" in problem.hint


async def test_a_pooler_that_drops_the_word_replication_is_found_out_before_anything_is_set(
    pooling: Pooling, database: Database
) -> None:
    with pooling("transaction", frozenset({"replication"})) as port:
        with pytest.raises(SourceUnavailable, match="gave an ordinary one: a connection pooler"):
            await open_replication(through(port, database))
        with psycopg.connect(through(port, database)) as other:
            assert other.execute("SHOW statement_timeout").fetchone() == ("0",)
            assert other.execute("SHOW intervalstyle").fetchone() == ("postgres",)


async def test_postgres_itself_is_asked_by_one_connection(database: Database) -> None:
    async def second() -> psycopg.AsyncConnection:
        raise AssertionError("a second connection was opened")

    async with connection(database.dsn) as conn:
        await pooler.refuse_lent(conn, second)


async def test_a_pooler_that_gives_no_second_session_is_not_taken_for_one_that_keeps_them(
    database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(pooler, "_PATIENCE", 0.2)
    full = pytest.raises(SourceUnavailable, match="gave no second session")
    with small_pooler(database.cluster, "session", limit=1) as port, full:
        await connect(ReadSettings(through(port, database), 1000))


@pytest.mark.parametrize("setting", ["dsn", "read_dsn"])
async def test_check_and_run_say_what_a_pooler_does_and_where_to_connect(
    database: Database, sandbox: SandboxServer, tmp_path: Path, setting: str
) -> None:
    rig = Rig(database, sandbox, tmp_path, demo_oms.mapping())
    with small_pooler(database.cluster, "transaction") as port:
        rig.overrides["source"] = {setting: through(port, database)}
        checked = (await check.check(rig.settings())).problems
        with pytest.raises(ConfigurationError) as caught:
            await rig.start()
        await rig.abandon()
    for problems in (checked, caught.value.problems):
        [told] = [problem for problem in problems if SHARED in problem.what]
        assert told.where == f"source.{setting}"
        assert "give the address of Postgres itself" in told.hint
