"""The verbs that only look: what they print, for people and for programs, and that they leave nothing behind."""

from __future__ import annotations

import re

from tests.fix_cli import Cli, LocalRedo, until
from tests.fix_postgres import Database


def test_check_of_a_healthy_setup_is_ready_and_leaves_nothing_behind(cli: Cli, shop: Database) -> None:
    text, plain = cli("check"), cli("check", "--json")
    assert (text.code, text.out, text.err) == (0, "Ready: `redo-connector run` can start.\n", "")
    assert (plain.code, plain.json) == (0, {"ok": True, "problems": []})
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
    assert "problem: redo.base_url: Redo was not reached" in ran.err
    assert "check the address" in ran.err


def test_explain_shows_each_use_of_each_table(cli: Cli) -> None:
    plan = cli("explain", "--json").json
    assert (plan["order_table"], plan["order_key"]) == ("shop.orders", ["id"])
    assert [table["table"] for table in plan["tables"]] == ["shop.item", "shop.note", "shop.orders"]
    fields = {"alias", "line", "route", "columns", "reverse_sql", "indexed", "deletes"}
    assert all(set(use) == fields for table in plan["tables"] for use in table["uses"])
    text = cli("explain")
    assert text.code == 0
    assert "as o (line 19): the order's own row, key id" in text.out
    assert "as i (line 15): carries the order's key in order_id" in text.out
    assert "\x1b" not in text.out


def test_explain_fits_the_width_it_is_given_and_never_cuts_a_query_short(cli: Cli) -> None:
    cli.mapping = cli.mapping.replace("o.email,", "p.email,") + "JOIN shop.orders p ON p.email = o.email"
    narrow = cli("explain", env={"COLUMNS": "80"}).out
    assert max(map(len, narrow.splitlines())) <= 80
    [query] = [line for line in cli("explain").out.splitlines() if "SELECT DISTINCT" in line]
    assert query.endswith("IS NOT NULL")
    assert "no index serves this query" in narrow


def test_preview_shows_the_payload_and_pushes_nothing(cli: Cli, redo: LocalRedo) -> None:
    text = cli("preview", "2")
    assert text.code == 0
    assert text.out.startswith("order 2: new\n{")
    [one] = cli("preview", "2", "--json").json
    assert (one["key"], one["verdict"], one["problems"], one["changed_fields"]) == ("2", "new", [], [])
    assert one["payload"]["lineItems"][0]["priceSet"]["shopMoney"] == {"amount": "12.5", "currencyCode": "USD"}
    assert [one["key"] for one in cli("preview", "--sample", "2", "--json").json] == ["1", "2"]
    assert redo.orders() == {}


def test_preview_names_the_fields_that_changed_since_redo_accepted_the_order(cli: Cli, shop: Database) -> None:
    daemon = cli.start("run")
    daemon.until_said("started")
    until("all orders are pushed", lambda: cli.facts().get("checkpoints") == 6)
    assert daemon.stop() == 0
    with shop.connect() as conn:
        conn.execute("UPDATE shop.item SET qty = 3 WHERE order_id = 2")
        conn.execute("UPDATE shop.orders SET email = 'another@shop.example' WHERE id = 2")
        conn.commit()
    changed, same = cli("preview", "2", "3", "--json").json
    assert (changed["verdict"], changed["changed_fields"]) == ("changed", ["customer", "lineItems"])
    assert (same["verdict"], same["changed_fields"]) == ("unchanged", [])
    text = cli("preview", "2", "3").out
    assert text.startswith("order 2: changed\n  changed since accepted: customer, lineItems\n{")
    assert text.count("changed since accepted") == 1


def test_preview_of_an_order_that_there_is_not_exits_1(cli: Cli) -> None:
    absent, wrong = cli("preview", "4711"), cli("preview", "nine")
    assert (absent.code, wrong.code) == (1, 1)
    assert "order 4711: absent\n  the mapping has no row for this order" in absent.out
    assert "is nine an order key? That is shop.orders (id int8)" in wrong.out


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
    assert re.search(r"^ready +yes$", running.out, re.MULTILINE)
    assert cli("preview", "2", "--json").json[0]["verdict"] == "unchanged"
    assert daemon.stop() == 0
    later = cli("status", "--json")
    assert later.code == 1
    assert (later.json["running"], later.json["checkpoints"], later.json["affected"]) == (False, 6, 0)


def test_teardown_asks_first_and_a_later_run_goes_on(cli: Cli, shop: Database) -> None:
    nothing = cli("teardown")
    assert (nothing.code, nothing.out[:15]) == (0, "Nothing to drop")
    daemon = cli.start("run")
    daemon.until_said("slot_created")
    daemon.until_said("started")
    assert daemon.stop() == 0
    slot = cli.settings["source"]["slot"]
    asked = cli("teardown", typed="n\n")
    assert asked.code == 1
    both = f"slot {slot} and publication redo_connector and publication redo_connector_inserts"
    assert f"Drop {both}?" in asked.out
    dropped = cli("teardown", "--yes")
    assert (dropped.code, dropped.out) == (0, f"Dropped {both}.\n")
    with shop.connect() as conn:
        query = (
            "SELECT slot_name FROM pg_replication_slots WHERE slot_name = %s UNION SELECT pubname FROM pg_publication"
        )
        assert conn.execute(query, (slot,)).fetchall() == []
