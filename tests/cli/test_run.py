"""`run`: what it says, what it refuses, how it ends, and what becomes of orders that can't be sent."""

from __future__ import annotations

import asyncio
import json
import signal
import socket
from collections.abc import Callable
from pathlib import Path

import apsw
from psycopg.conninfo import make_conninfo

from connector.checkpoints.sqlite.migrations import APPLICATION_ID
from tests.support.fault_proxy import FaultProxy
from tests.support.fixtures.cli import WITHIN, Cli, LocalRedo, started, until
from tests.support.fixtures.postgres import Database


def holds(redo: LocalRedo, orders: int) -> Callable[[], bool]:
    return lambda: len(redo.orders()) == orders


def slots(shop: Database) -> list[str]:
    with shop.connect() as conn:
        query = "SELECT slot_name FROM pg_replication_slots WHERE database = current_database()"
        return [name for (name,) in conn.execute(query)]


def test_orders_that_cannot_be_sent_become_dead_letters_and_stop_nobody_else(
    cli: Cli, shop: Database, redo: LocalRedo
) -> None:
    daemon = started(cli)
    until("the backfill is over", holds(redo, 6))
    with shop.connect() as conn:
        conn.execute("INSERT INTO shop.note VALUES (1, 1, ''), (1, 2, '')")
        conn.execute("UPDATE shop.orders SET email = 'buyer-without-an-address' WHERE id = 2")
        conn.execute("UPDATE shop.orders SET share = 0 WHERE id = 3")
        conn.execute("INSERT INTO shop.item VALUES (7, 1, 'cup', 1)")
        conn.execute("INSERT INTO shop.orders VALUES (7, 'late@shop.example')")
    until("the other orders arrive", holds(redo, 7))
    until("all three are refused", lambda: sum(cli.facts()["dead_letters"].values()) == 3)
    listed = cli("dead-letters", "list", "--json")
    found = {letter["key"]: letter for letter in listed.json["dead_letters"]}
    assert {key: letter["reason"] for key, letter in found.items()} == {
        "1": "duplicate",
        "2": "invalid",
        "3": "mapping",
    }
    assert found["2"]["paths"] == ["customer.email"]
    shown = cli("dead-letters", "show", "3")
    assert (shown.code, shown.err) == (0, "")
    assert "order 3: mapping" in shown.out
    assert "division by zero (SQLSTATE 22012)" in shown.out
    with shop.connect() as conn:
        conn.execute("UPDATE shop.orders SET share = 4 WHERE id = 3")
    until("the mended order arrives", lambda: redo.orders()["3"]["salesChannel"] == "shelf 25")
    until("its dead letter is gone", lambda: sum(cli.facts()["dead_letters"].values()) == 2)
    assert cli("dead-letters", "show", "3").code == 1
    warned = cli("check")
    assert warned.code == 0
    assert "warning  mapping.path: 2 of 7 sampled orders would become dead letters: 1 because " in warned.out
    assert daemon.stop() == 0
    assert "buyer-without-an-address" not in daemon.said() + listed.out + warned.out


async def test_a_restart_waits_for_a_database_that_is_away_and_a_first_start_says_what_is_wrong(
    cli: Cli, shop: Database, redo: LocalRedo
) -> None:
    async with FaultProxy("127.0.0.1", shop.cluster.port) as proxy:
        cli.set("source", dsn=make_conninfo(cli.settings["source"]["dsn"], host=proxy.host, port=proxy.port))
        await proxy.refuse()
        first = await asyncio.to_thread(cli, "run")
        assert (first.code, "source.dsn" in first.err) == (2, True)
        await proxy.heal()
        daemon = await asyncio.to_thread(started, cli)
        await asyncio.to_thread(until, "the backfill is over", holds(redo, 6))
        assert await asyncio.to_thread(daemon.stop) == 0
        await proxy.refuse()
        daemon = cli.start("run")
        await asyncio.to_thread(daemon.until_said, "source_unavailable")
        assert (await asyncio.to_thread(cli.facts))["state"] == "starting"
        with shop.connect() as conn:
            conn.execute("UPDATE shop.orders SET email = 'meanwhile@shop.example' WHERE id = 2")
        await proxy.heal()
        there = "meanwhile@shop.example"
        await asyncio.to_thread(until, "it goes on", lambda: redo.orders()["2"]["customer"]["email"] == there)
        assert await asyncio.to_thread(daemon.stop) == 0
        await proxy.refuse()
        daemon = cli.start("run")
        await asyncio.to_thread(daemon.until_said, "source_unavailable")
        assert await asyncio.to_thread(daemon.stop) == 0


def test_sigterm_lets_what_is_in_flight_arrive_and_exits_0(cli: Cli, redo: LocalRedo) -> None:
    redo.switch(latency_ms=1000)
    daemon = started(cli)
    in_flight = until("orders are in flight", lambda: cli.facts()["in_flight"])
    assert redo.orders() == {}
    assert daemon.stop() == 0
    assert len(redo.orders()) >= in_flight
    assert cli("status", "--json").json["checkpoints"] == len(redo.orders())
    assert "stopped" in daemon.said()


def test_a_second_sigterm_exits_at_once_and_the_next_start_confirms_what_was_in_flight(
    cli: Cli, redo: LocalRedo
) -> None:
    redo.switch(hang=6, hang_seconds=60)
    daemon = started(cli)
    until("orders are in flight", lambda: cli.facts()["in_flight"])
    daemon.process.send_signal(signal.SIGTERM)
    daemon.until_said("second signal exits at once")
    daemon.process.send_signal(signal.SIGTERM)
    assert daemon.process.wait(WITHIN) == 128 + signal.SIGTERM
    before = redo.stats()
    redo.switch(hang=0)
    again = started(cli)
    until("they are pushed once more", lambda: redo.stats() != before and cli.facts()["checkpoints"] == 6)
    assert holds(redo, 6)()
    assert again.stop() == 0


def test_with_json_logs_every_line_is_json(cli: Cli, shop: Database, redo: LocalRedo) -> None:
    cli.set("log", format="json")
    daemon = started(cli)
    until("the backfill is over", holds(redo, 6))
    with shop.connect() as conn:
        conn.execute("SELECT pg_terminate_backend(active_pid) FROM pg_replication_slots WHERE active_pid IS NOT NULL")
    daemon.until_said("stream_lost")
    assert daemon.stop() == 0
    events = [json.loads(line) for line in daemon.said().splitlines()]
    assert {"slot_created", "started", "stream_lost", "stopping", "stopped"} <= {event["event"] for event in events}
    cli.set("checkpoints", url="sqlite:///nowhere/connector.db")
    refused = cli("run")
    assert refused.code == 2
    [line] = [json.loads(line) for line in refused.err.splitlines()]
    assert (line["where"], line["next"]) == ("checkpoints.url", "create it")


def test_a_taken_status_port_is_named_and_nothing_is_made(cli: Cli, shop: Database) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        cli.set("status", port=taken.getsockname()[1])
        ran = cli("run")
    assert ran.code == 2
    assert f"problem: status.port: port {cli.settings['status']['port']} on 127.0.0.1 is taken" in ran.err
    assert slots(shop) == []
    assert not (cli.folder / "connector.db").exists()


def test_a_second_connector_on_the_same_store_is_refused_and_on_the_same_slot_waits(
    cli: Cli, shop: Database, tmp_path: Path
) -> None:
    first = started(cli)
    first.until_said("streaming")
    cli.set("status", port=0)
    cli.set("daemon", standby=False)
    refused = cli("run")
    assert refused.code == 2
    assert "another redo-connector is using connector.db\n    stop that one first" in refused.err
    cli.set("checkpoints", url=f"sqlite:///{tmp_path / 'other.db'}")
    second = cli.start("run")
    second.until_said(rf"slot {cli.settings['source']['slot']} on \S+ is in use by pid \d+: stop the other connector")
    refused = cli("teardown", "--yes")
    assert refused.code == 2
    assert "it is in use by server process" in refused.err
    assert second.stop() == 0
    assert first.stop() == 0
    assert len(slots(shop)) == 1


def test_a_store_of_a_newer_version_is_refused_untouched(cli: Cli) -> None:
    path = cli.folder / "connector.db"
    with apsw.Connection(str(path)) as newer:
        newer.pragma("application_id", APPLICATION_ID)
        newer.pragma("user_version", 99)
    before = path.read_bytes()
    run, check = cli("run"), cli("check")
    assert (run.code, check.code) == (2, 1)
    for said in (run.err, check.out):
        assert "connector.db was written by a newer redo-connector (schema 99" in said
        assert "run that newer version, or name another file" in said
    assert path.read_bytes() == before


def test_a_store_in_a_folder_that_cannot_be_written_is_refused(cli: Cli) -> None:
    cli.set("checkpoints", url="sqlite:////proc/connector.db")
    run, check = cli("run"), cli("check")
    assert (run.code, check.code) == (2, 1)
    assert "problem: checkpoints.url: checkpoint file /proc/connector.db" in run.err
    assert "check the owner and mode of the file and its folder" in run.err
    assert "problem  checkpoints.url: the folder /proc can't be written" in check.out


def test_a_store_in_a_folder_that_is_not_there_is_refused(cli: Cli) -> None:
    cli.set("checkpoints", url="sqlite:////nowhere/connector.db")
    ran = cli("run")
    assert ran.code == 2
    assert "problem: checkpoints.url: the folder /nowhere does not exist\n    create it" in ran.err
