"""`synchronous_standby_names` may mean our stream: then the OMS's commits wait for our word, and it comes at once."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path

import psycopg
import pytest
from psycopg.conninfo import make_conninfo
from structlog.testing import capture_logs

from connector.demo import oms as demo_oms
from connector.sandbox.server import SandboxServer
from connector.source.checks.preflight import preflight
from connector.source.checks.synchronous import synchronous_entry
from connector.source.stream import session
from tests.support.fixtures.connector import Rig, eventually
from tests.support.fixtures.postgres import MakeCluster, create_database
from tests.support.fixtures.served_connector import look_often, serving

LOOSE = 30.0
PATCH = "UPDATE oms.order_header SET tag_list = %s WHERE ord_id = 1"


@pytest.mark.parametrize(
    ("setting", "entry"),
    [
        ("", None),
        ("*", "*"),
        ("one, Two", None),
        ("one, redo-connector", "redo-connector"),
        ('FIRST 1 (one, "Redo-Connector")', "Redo-Connector"),
        ("any 2 (one,two,*)", "*"),
        ("2(one, two)", None),
        ("first, any", None),
    ],
)
def test_every_form_of_the_setting_is_understood(setting: str, entry: str | None) -> None:
    assert synchronous_entry(setting, "redo-connector") == entry


@pytest.fixture
async def rig(make_cluster: MakeCluster, sandbox: SandboxServer, tmp_path: Path) -> AsyncIterator[Rig]:
    """A server of its own, whose commits wait for nobody yet."""
    database = create_database(make_cluster())
    with database.connect() as conn:
        demo_oms.create(conn)
        demo_oms.seed(conn, 5, 7)
    made = Rig(database, sandbox, tmp_path, demo_oms.mapping())
    yield made
    await wait_for(made, "")
    await made.stop()


async def wait_for(rig: Rig, standbys: str) -> None:
    with psycopg.connect(rig.dsn, autocommit=True) as conn:
        conn.execute("SET synchronous_commit = local")
        conn.execute(f"ALTER SYSTEM SET synchronous_standby_names = '{standbys}'".encode())
        conn.execute("SELECT pg_reload_conf()")
        await eventually("it is so", lambda: shown(conn) == standbys)


def shown(conn: psycopg.Connection) -> str:
    row = conn.execute("SHOW synchronous_standby_names").fetchone()
    return row[0] if row else ""


async def commits(rig: Rig, count: int) -> None:
    """Each waits for the connector to say that it has it."""
    async with (
        asyncio.timeout(LOOSE),
        await psycopg.AsyncConnection.connect(rig.dsn, autocommit=True, application_name="oms") as conn,
    ):
        for number in range(count):
            await conn.execute(PATCH, (f"tag{number}",))


async def test_a_stream_that_commits_wait_for_tells_what_is_durable_at_once(
    rig: Rig, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Not when the next of five status messages a second is due: here that would be in an hour."""
    await rig.start()
    await rig.quiet()
    await wait_for(rig, "*")
    await rig.stop()
    monkeypatch.setattr(session, "_REPORT_EVERY", 3600.0)
    await rig.start()
    await commits(rig, 10)


async def test_it_is_said_while_it_runs_with_what_to_do_and_heeded(rig: Rig, monkeypatch: pytest.MonkeyPatch) -> None:
    look_often(monkeypatch)
    with capture_logs() as logs:
        async with serving(rig):
            await wait_for(rig, "ANY 1 (*)")
            await eventually("it is said", lambda: any(line["event"] == "synchronous_standby" for line in logs))
            monkeypatch.setattr(session, "_REPORT_EVERY", 3600.0)
            await commits(rig, 10)
            await wait_for(rig, "")
    said = [line for line in logs if line["event"] == "synchronous_standby"]
    assert len(said) == 1
    assert "(quorum)" in said[0]["problem"]
    assert "name the real standbys instead of '*'" in said[0]["next"]


async def test_check_says_it_beforehand_and_another_application_name_is_a_way_out(rig: Rig) -> None:
    async def warned(dsn: str) -> list[str]:
        found = (await preflight(dsn, rig.slot, "redo_connector", [], manage=True)).problems
        return [each.hint for each in found if "synchronous standby" in each.what and each.warning]

    await wait_for(rig, 'one, "redo-connector"')
    assert len(await warned(rig.dsn)) == 1
    assert "application_name" in (await warned(rig.dsn))[0]
    elsewhere = make_conninfo(rig.dsn, application_name="elsewhere")
    assert await warned(elsewhere) == []
    await wait_for(rig, "*")
    assert "instead of '*'" in (await warned(elsewhere))[0]


async def test_a_start_does_not_wait_for_itself(rig: Rig) -> None:
    """Its publication is committed before there is any stream that could acknowledge it."""
    await wait_for(rig, "*")
    async with asyncio.timeout(LOOSE):
        await rig.start()
    await commits(rig, 1)
