"""The command with its checkpoints in Postgres: what a file promises, a database promises."""

from __future__ import annotations

import signal
from collections.abc import Iterator
from functools import partial

import psycopg
import pytest

from tests.support.fixtures.cli import TOKEN, WITHIN, Cli, LocalRedo, free_port, started, until
from tests.support.fixtures.postgres import Database, create_database, drop_database
from tests.support.postgres.cluster import Cluster


@pytest.fixture
def store(cluster: Cluster) -> Iterator[Database]:
    """Another database than the OMS's, though of the same server."""
    made = create_database(cluster)
    yield made
    drop_database(cluster, made.name)


@pytest.fixture
def kept(cli: Cli, store: Database) -> Cli:
    cli.set("checkpoints", url=store.dsn)
    return cli


def end_writer(store: Database) -> None:
    with store.connect() as conn:
        ended = conn.execute(
            "SELECT pg_terminate_backend(pid) FROM pg_locks"
            " JOIN pg_database AS d ON d.oid = database WHERE locktype = 'advisory' AND datname = current_database()"
        ).fetchall()
    assert ended == [(True,)]


def rename(shop: Database, order: int, sku: str) -> None:
    with shop.connect() as conn:
        conn.execute("UPDATE shop.item SET sku = %s WHERE order_id = %s", (sku, order))


def sku(redo: LocalRedo, order: str) -> str:
    return str(redo.orders()[order]["lineItems"][0]["sku"])


def holds(redo: LocalRedo, order: str, name: str) -> bool:
    return sku(redo, order) == name


def test_orders_arrive_and_after_a_kill_only_what_changed_is_pushed(kept: Cli, shop: Database, redo: LocalRedo) -> None:
    daemon = started(kept)
    until("every order is at Redo", lambda: len(redo.orders()) == 6)
    # Nothing waits before the backfill has begun, either.
    until("all is settled", lambda: (kept.facts()["checkpoints"], kept.facts()["affected"]) == (6, 0))
    assert "the checkpoint database is on the OMS's server" in daemon.said()
    daemon.process.send_signal(signal.SIGKILL)
    daemon.process.wait(WITHIN)
    before = dict(redo.stats()["pushes"])
    rename(shop, 3, "cup")
    again = started(kept)
    until("the change is at Redo", lambda: sku(redo, "3") == "cup")
    until("all is settled", lambda: kept.facts()["affected"] == 0)
    assert {key: number for key, number in redo.stats()["pushes"].items() if number != before[key]} == {"3": 2}
    assert kept("status").code == 0
    assert kept("dead-letters", "list").code == 0
    assert kept("reconcile").code == 0
    assert again.stop() == 0
    assert not (kept.folder / "connector.db").exists()


def test_a_session_that_is_ended_and_a_change_meanwhile_lose_nothing(
    kept: Cli, store: Database, shop: Database, redo: LocalRedo
) -> None:
    daemon = started(kept)
    until("every order is at Redo", lambda: len(redo.orders()) == 6)
    for name in ("cup", "jug", "pot"):
        end_writer(store)
        rename(shop, 5, name)
        until("the change is at Redo", partial(holds, redo, "5", name))
        until("it is ready", lambda: kept.facts()["ready"])
    assert daemon.stop() == 0


def test_a_second_connector_is_refused_and_names_the_first(kept: Cli, redo: LocalRedo) -> None:
    daemon = started(kept)
    kept.set("status", port=free_port())
    kept.set("daemon", standby=False)
    second = kept("run")
    assert second.code == 2
    assert "another redo-connector is using" in second.err
    assert daemon.stop() == 0


def test_the_omss_own_database_is_refused_until_its_dba_agrees(cli: Cli, shop: Database, redo: LocalRedo) -> None:
    cli.set("checkpoints", url=shop.dsn)
    for verb in ("check", "run"):
        ran = cli(verb)
        assert ran.code == (1 if verb == "check" else 2)
        assert "checkpoints.allow_oms_database" in ran.out + ran.err
    with shop.connect() as conn:
        with pytest.raises(psycopg.errors.InvalidSchemaName):
            conn.execute("CREATE TABLE redo_connector.x ()")
        assert conn.execute(
            "SELECT count(*) FROM pg_replication_slots WHERE database = current_database()"
        ).fetchone() == (0,)
    cli.set("checkpoints", allow_oms_database=True)
    daemon = started(cli)
    until("every order is at Redo", lambda: len(redo.orders()) == 6)
    assert daemon.stop() == 0


def test_a_rehearsal_becomes_production_and_comes_back(kept: Cli, redo: LocalRedo) -> None:
    daemon = started(kept)
    until("every order is at Redo", lambda: kept.facts().get("checkpoints") == 6)
    assert daemon.stop() == 0
    other = kept.start("sandbox", "--port", "0", "--store-id", "shop", "--api-secret", TOKEN)
    production = LocalRedo(other.until_said(r"redo.base_url = (\S+)"))
    kept.set("redo", base_url=production.base_url)
    daemon = started(kept)
    until("all are held", lambda: kept.facts()["held_orders"] == 6)
    assert production.orders() == {}
    assert kept("approve", "--yes").code == 0
    until("all are there", lambda: len(production.orders()) == 6)
    assert daemon.stop() == 0
    kept.set("redo", base_url=redo.base_url)
    daemon = started(kept)
    until("all are compared", lambda: kept.facts()["last_reconcile"])
    assert (kept.facts()["checkpoints"], kept.facts()["counts"]["pushed"]) == (6, 0)
    assert daemon.stop() == 0
