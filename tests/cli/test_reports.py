"""The verbs that only look: what they print, for people and for programs, and that they leave nothing behind."""

from __future__ import annotations

import re

from tests.support.fixtures.cli import Cli, until
from tests.support.fixtures.postgres import Database


def test_check_of_a_healthy_setup_is_ready_and_leaves_nothing_behind(cli: Cli, shop: Database) -> None:
    text, plain = cli("check"), cli("check", "--json")
    assert (text.code, text.err) == (0, "")
    assert text.out.endswith("\nReady: `redo-connector run` can start.\n")
    assert (plain.code, plain.json["ok"], plain.json["problems"]) == (0, True, [])
    with shop.connect() as conn:
        assert conn.execute("SELECT count(*) FROM pg_publication").fetchone() == (0,)
        query = "SELECT count(*) FROM pg_replication_slots WHERE database = current_database()"
        assert conn.execute(query).fetchone() == (0,)
    assert {path.name for path in cli.folder.iterdir()} == {"connector.toml", "mapping.sql"}


def test_check_asks_redo_whether_it_knows_the_secret(cli: Cli) -> None:
    cli.set("redo", api_secret="not-the-one")
    ran = cli("check", "--json")
    assert ran.code == 1
    [problem] = ran.json["problems"]
    assert (problem["where"], problem["what"]) == ("redo.api_secret", "Redo refused the API secret")
    assert problem["hint"]


def test_check_says_when_redo_is_not_reached(cli: Cli) -> None:
    cli.set("redo", base_url="http://127.0.0.1:1")
    ran = cli("check")
    assert ran.code == 1
    assert "problem  redo.base_url: Redo was not reached" in ran.out
    assert "check the address" in ran.out


def test_status_tells_of_the_running_connector_and_else_of_its_store(cli: Cli) -> None:
    never = cli("status")
    assert never.code == 1
    assert "No connector answers" in never.out
    assert "start it with `redo-connector run`" in never.out
    daemon = cli.start("run")
    daemon.until_said("started")
    until("it is ready and has pushed all orders", lambda: cli.facts()["ready"] and cli.facts()["checkpoints"] == 6)
    running = cli("status")
    assert (running.code, running.err) == (0, "")
    assert running.out.startswith("Delivering: Redo is in step with the OMS\n")
    assert re.search(r"^ready +yes$", cli("status", "--all").out, re.MULTILINE)
    assert cli("preview", "2", "--json").json[0]["verdict"] == "unchanged"
    assert daemon.stop() == 0
    later = cli("status", "--json")
    assert later.code == 1
    assert (later.json["running"], later.json["checkpoints"], later.json["affected"]) == (False, 6, 0)
    lag = later.json["sync_lag_seconds"]
    assert cli("status", "--json").json["sync_lag_seconds"] > lag > 0, "it grows while no connector runs"


def test_teardown_does_nothing_unasked_and_a_later_run_goes_on(cli: Cli, shop: Database) -> None:
    nothing = cli("teardown")
    assert (nothing.code, nothing.out[:15]) == (0, "Nothing to drop")
    daemon = cli.start("run")
    daemon.until_said("slot_created")
    daemon.until_said("started")
    assert daemon.stop() == 0
    slot = cli.settings["source"]["slot"]
    asked = cli("teardown", typed="y\n")
    assert asked.code == 2
    assert "nothing was done" in asked.err
    both = f"slot {slot} and publication redo_connector and publication redo_connector_inserts"
    assert f"Drop {both}?" in asked.out
    dropped = cli("teardown", "--yes")
    assert (dropped.code, dropped.out) == (0, f"Dropped {both}.\n")
    with shop.connect() as conn:
        query = (
            "SELECT slot_name FROM pg_replication_slots WHERE slot_name = %s UNION SELECT pubname FROM pg_publication"
        )
        assert conn.execute(query, (slot,)).fetchall() == []
