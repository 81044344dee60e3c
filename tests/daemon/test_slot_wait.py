"""A transaction that is open while the slot is to be made: who is told, who waits, and that nobody waits for us."""

from __future__ import annotations

import asyncio
import signal
import subprocess
import sys
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager

import httpx2 as httpx
import psycopg
import pytest

from connector.source.objects.slot import Blocker, create_slot
from tests.support.fixtures.cli import ROOT, Cli, LocalRedo, until
from tests.support.fixtures.postgres import Database, MakeCluster
from tests.support.postgres.followed_database import Followed, eventually

SOON = 10_000
"""Milliseconds that the OMS's statements may take here: far less than the transactions that are open."""


@pytest.fixture
def shop_database(database: Database) -> Followed:
    shop = Followed(database.dsn, f"slot_{database.name}")
    shop.execute(
        "CREATE TABLE orders (id int PRIMARY KEY, note text)",
        "CREATE TABLE busy (id int)",
        "INSERT INTO orders SELECT g, 'x' FROM generate_series(1, 100) g",
    )
    return shop


@contextmanager
def at_work(dsn: str) -> Iterator[psycopg.Connection]:
    """An application's transaction that has written and goes on for long."""
    with psycopg.connect(dsn, application_name="nightly-report") as other:
        other.execute("INSERT INTO busy VALUES (1)")
        yield other
        other.rollback()


async def test_nothing_of_the_oms_waits_for_a_slot_that_waits(shop_database: Followed) -> None:
    shop, told = shop_database, list[Sequence[Blocker]]()
    with at_work(shop.dsn) as other:
        creation = asyncio.create_task(create_slot(shop.dsn, shop.name, told.append, notice_after=0.05))
        await eventually(lambda: bool(told))
        with psycopg.connect(shop.dsn, autocommit=True) as conn:
            conn.execute(f"SET statement_timeout = {SOON}")
            for statement in (
                "UPDATE orders SET note = 'y'",
                "CREATE INDEX CONCURRENTLY ON orders (note)",
                "ALTER TABLE orders ADD COLUMN more int",
                "VACUUM FULL orders",
                "TRUNCATE orders",
            ):
                conn.execute(statement.encode())
        holds = "SELECT count(*) FROM pg_stat_activity WHERE application_name = 'redo-connector' AND "
        assert (
            shop.ask(
                holds + "(backend_xmin IS NOT NULL OR backend_xid IS NOT NULL) AND datname = current_database()"
                " AND query LIKE 'CREATE_REPLICATION_SLOT%'"
            )
            == 0
        )
        assert not creation.done()
        other.commit()
        assert await creation


async def test_a_prepared_transaction_is_told_too_and_the_slot_is_made_once_it_ended(make_cluster: MakeCluster) -> None:
    shop, told = Followed(make_cluster({"max_prepared_transactions": "2"}).dsn(), "odd"), list[Sequence[Blocker]]()
    shop.execute("CREATE TABLE busy (id int)")
    with psycopg.connect(shop.dsn) as other:
        other.execute("INSERT INTO busy VALUES (1)")
        other.execute("PREPARE TRANSACTION 'forgotten'")
    creation = asyncio.create_task(create_slot(shop.dsn, shop.name, told.append, notice_after=0.05))
    await eventually(lambda: bool(told))
    assert [str(blocker) for blocker in told[0]] == ["pid 0 (unnamed, prepared transaction)"]
    shop.execute("COMMIT PREPARED 'forgotten'")
    assert await creation


MAKER = """
import asyncio, sys
from connector.source.objects.slot import create_slot
asyncio.run(create_slot(sys.argv[1], sys.argv[2]))
"""


async def test_a_process_that_is_killed_while_it_waits_leaves_no_slot(
    database: Database, shop_database: Followed
) -> None:
    if database.cluster.version < 14:
        pytest.skip("Postgres notices a vanished client while it works only from 14 on")
    shop = shop_database
    with at_work(shop.dsn):
        maker = subprocess.Popen([sys.executable, "-c", MAKER, shop.dsn, shop.name], cwd=ROOT)
        try:
            await eventually(lambda: shop.slot("1") == 1)
        finally:
            maker.kill()
            maker.wait()
        await eventually(lambda: shop.slot("1") is None)


def slots(shop: Database) -> list[str]:
    with shop.connect() as conn:
        query = "SELECT slot_name FROM pg_replication_slots WHERE database = current_database()"
        return [name for (name,) in conn.execute(query)]


def test_a_start_that_waits_says_for_whom_and_a_signal_ends_it(cli: Cli, shop: Database) -> None:
    with shop.connect() as conn:
        conn.execute("CREATE TABLE busy (id int)")
    with at_work(shop.dsn) as other:
        daemon = cli.start("run")
        blocker = f"pid {other.info.backend_pid} (nightly-report, idle in transaction, open for "
        daemon.until_said(r"slot_waits")
        assert blocker in daemon.said()
        base = f"http://127.0.0.1:{cli.settings['status']['port']}"
        assert httpx.get(f"{base}/healthz").status_code == 200, "or it would be started again and again"
        assert httpx.get(f"{base}/readyz").status_code == 503
        facts = cli.facts()
        assert facts["state"] == "starting"
        assert facts["reason"].startswith(f"the slot can be made once these transactions have ended: {blocker}")
        began = time.monotonic()
        daemon.process.send_signal(signal.SIGTERM)
        assert daemon.process.wait(10) == 0
        assert time.monotonic() - began < 10
        until("the server has let go of the half-made slot", lambda: slots(shop) == [])


def test_a_start_that_waited_goes_on_once_the_transaction_ended(cli: Cli, shop: Database, redo: LocalRedo) -> None:
    with shop.connect() as conn:
        conn.execute("CREATE TABLE busy (id int)")
    with at_work(shop.dsn) as other:
        daemon = cli.start("run")
        daemon.until_said(r"slot_waits")
        with shop.connect() as conn:
            conn.execute("INSERT INTO shop.orders VALUES (7, 'late@shop.example')")
            conn.execute("INSERT INTO shop.item VALUES (7, 1, 'cup', 1)")
        other.commit()
        until("every order is there", lambda: len(redo.orders()) == 7)
    assert daemon.stop() == 0
