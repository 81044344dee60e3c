"""`explain-order`, `status --watch`, `pause` and `resume`: what the page shows and does, in the terminal."""

from __future__ import annotations

import os
import pty
import re
import signal

import httpx2 as httpx

from tests.support.fixtures.cli import WITHIN, Cli, LocalRedo, until
from tests.support.fixtures.postgres import Database
from tests.support.processes.forked import Forked


def test_an_order_is_explained_beside_a_running_connector_and_without_one(
    cli: Cli, shop: Database, redo: LocalRedo
) -> None:
    daemon = cli.start("run")
    until("every order is at Redo", lambda: len(redo.orders()) == 6)
    with shop.connect() as conn:
        conn.execute("UPDATE shop.item SET qty = 5 WHERE order_id = 4")
    until("the change is at Redo", lambda: redo.orders()["4"]["lineItems"][0]["quantity"] == 5)
    # Nothing waits before the backfill has begun, either.
    until("it is settled", lambda: (found := cli.facts())["checkpoints"] == 6 and found["affected"] == 0)
    ran = cli("explain-order", "4")
    assert (ran.code, ran.err) == (0, "")
    assert ran.out.startswith("order 4: Redo accepted this order as it is now.\n")
    assert re.search(r"^  \S+Z: update of shop\.item, [0-9A-F]+/[0-9A-F]+$", ran.out, re.MULTILINE)
    assert re.search(r"^  \S+Z: accepted, [0-9.]+ s, [0-9.]+ s after the commit$", ran.out, re.MULTILINE)
    assert "lineItems: list of 1" in ran.out
    found = cli("explain-order", "4", "--json").json
    assert (found["running"], found["known"], found["projection"]["payload"]) == (True, True, None)
    unknown = cli("explain-order", "4711")
    assert (unknown.code, unknown.out) == (1, "")
    assert "order 4711: neither the connector nor the mapping knows this order" in unknown.err
    assert daemon.stop() == 0
    later = cli("explain-order", "4", "--json").json
    assert (later["running"], later["verdict"]) == (False, "Redo accepted this order as it is now.")
    assert (later["changes"], later["since"]) == ([], None)
    assert later["checkpoint"] == found["checkpoint"]


def test_an_order_is_found_by_its_id_at_redo_too(cli: Cli, shop: Database, redo: LocalRedo) -> None:
    cli.mapping = cli.mapping.replace(
        "o.id::text AS id", "CASE o.id WHEN 6 THEN '5' ELSE 'W/' || o.id || ' #-2' END AS id"
    )
    with shop.connect() as conn:
        conn.execute("UPDATE shop.orders SET email = 'nobody' WHERE id = 3")
    daemon = cli.start("run")
    until("the others are at Redo", lambda: len(redo.orders()) == 5)
    until("the third is refused", lambda: cli.facts()["dead_letters"].get("invalid") == 1)
    assert re.search(r"order_refused.* order=3 .*order_id='W/3 #-2'", daemon.said())
    page = httpx.get(f"http://127.0.0.1:{cli.settings['status']['port']}/orders/W%2F4%20%23-2").text
    assert "<h1>Order 4 (W/4 #-2)</h1>" in page

    def look(*, running: bool) -> None:
        assert cli("explain-order", "W/4 #-2").out.startswith(
            "order 4 (W/4 #-2): Redo accepted this order as it is now."
        )
        assert cli("explain-order", "W/3 #-2").out.startswith("order 3 (W/3 #-2): Refused: it breaks Redo's contract")
        both = cli("explain-order", "5", "--json")
        assert (both.json["running"], both.json["key"], both.json["also"]) == (running, "5", {"6": "5"})
        assert "warning: 5: the order with key 6 goes by this name at Redo, too" in both.err
        assert cli("preview", "W/4 #-2").out.startswith("order 4 (W/4 #-2): unchanged\n")
        assert [one["key"] for one in cli("preview", "5", "--json").json] == ["5", "6"]

    look(running=True)
    assert daemon.stop() == 0
    look(running=False)


def test_a_pause_from_the_terminal_is_watched_there(cli: Cli, redo: LocalRedo) -> None:
    daemon = cli.start("run")
    until("every order is at Redo", lambda: len(redo.orders()) == 6)
    watching = cli.start("status", "--watch")
    watching.until_said("In step with the source")
    assert cli("pause").out == "delivery to Redo is paused\n"
    assert cli("pause", "--json").json["request"]["message"] == "delivery to Redo was paused already"
    watching.until_said(r"paused, nothing is lost: by hand, since ")
    assert cli("resume").out == "delivery to Redo goes on\n"
    watching.until_said(r"(?s)by hand.*In step with the source")
    watching.process.send_signal(signal.SIGINT)
    assert watching.process.wait(WITHIN) == 0
    assert daemon.stop() == 0


def test_on_a_terminal_the_view_is_drawn_anew_until_it_is_interrupted(offline: Cli) -> None:
    offline("status")  # writes the settings
    ours, theirs = pty.openpty()
    process = Forked(
        "connector", "status", "--watch",
        folder=offline.folder, environment={**os.environ, "TERM": "xterm"}, streams=[theirs] * 3,
    )  # fmt: skip
    os.close(theirs)
    seen = b""
    while seen.count(b"No connector answers") < 2:
        seen += os.read(ours, 4096)
    process.send_signal(signal.SIGINT)
    assert process.wait(WITHIN) == 0
    os.close(ours)
    assert b"Traceback" not in seen


def test_a_live_view_is_not_for_machines(offline: Cli) -> None:
    ran = offline("status", "--watch", "--json")
    assert ran.code == 2
    assert "--watch is for people" in ran.err
