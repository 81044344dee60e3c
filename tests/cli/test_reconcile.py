"""`reconcile` and `backfill`: carried out by the running connector, else by one of the command's own."""

from __future__ import annotations

import httpx2 as httpx

from tests.cli.prepared_checkpoints import connector_played, left
from tests.support.fixtures.cli import Cli, Daemon, LocalRedo, until
from tests.support.fixtures.postgres import Database


def filled(cli: Cli) -> Daemon:
    """A running connector that has pushed all six orders."""
    daemon = cli.start("run")
    until("all orders are pushed", lambda: daemon.until_said("started") and cli.facts().get("checkpoints") == 6)
    return daemon


def test_the_running_connector_compares_every_order_and_tells_what_it_found(cli: Cli) -> None:
    daemon = filled(cli)
    text = cli("reconcile")
    assert (text.code, text.out) == (0, "6 orders compared: 0 missed, 0 changed, 0 extra\n")
    plain = cli("reconcile", "--json")
    assert plain.code == 0
    assert (plain.json["request"]["state"], plain.json["request"]["running"]) == ("done", True)
    found = plain.json["found"]
    assert (found["scanned"], found["missed"], found["changed"], found["extra"], found["held"]) == (6, 0, 0, 0, 0)
    assert cli.facts()["last_reconcile"]["scanned"] == 6
    assert "last_reconcile.changed" in cli("status", "--all").out
    assert daemon.stop() == 0


def test_without_a_connector_one_runs_until_it_is_done(cli: Cli, redo: LocalRedo, shop: Database) -> None:
    first = cli("backfill", "--json")
    assert (first.code, first.json["request"]["state"]) == (0, "done")
    assert first.json["request"]["running"] is True
    until("what was found is pushed by the next one", lambda: cli("backfill").code == 0 and len(redo.orders()) == 6)
    with shop.connect() as conn:
        conn.execute("UPDATE shop.item SET qty = 3 WHERE order_id = 2")
    again = cli("reconcile")
    assert again.code == 0
    assert "6 orders compared: 0 missed" in again.out
    assert left(cli.folder) == []


def test_no_wait_leaves_it_to_the_next_start(cli: Cli) -> None:
    asked = cli("reconcile", "--no-wait")
    assert asked.code == 0
    assert "no connector runs. It is carried out at the next start." in asked.out
    daemon = cli.start("run")
    daemon.until_said(r"request_finished .*ok=True")
    assert daemon.stop() == 0


def test_one_that_failed_exits_1(offline: Cli) -> None:
    with connector_played(offline.folder, "the mapping is broken", ok=False):
        for verb in ("reconcile", "backfill"):
            ran = offline(verb)
            assert (ran.code, ran.out) == (1, "the mapping is broken\n")


def test_verify_redo_needs_the_end(offline: Cli) -> None:
    ran = offline("reconcile", "--verify-redo", "5", "--no-wait")
    assert ran.code == 2
    assert "not --no-wait" in ran.err


def test_what_redo_holds_is_read_back_and_what_differs_is_pushed_again(cli: Cli, redo: LocalRedo) -> None:
    daemon = filled(cli)
    fine = cli("reconcile", "--verify-redo", "10")
    assert fine.code == 0
    assert fine.out.endswith("6 orders read back from Redo: 6 as they should be.\n")
    headers = {"Authorization": f"Bearer {cli.settings['redo']['api_secret']}"}
    httpx.delete(f"{redo.base_url}/stores/shop/orders/3", headers=headers).raise_for_status()
    [item] = redo.orders()["2"]["lineItems"]
    body = {**redo.orders()["2"], "lineItems": [{**item, "title": "something else"}]}
    httpx.post(f"{redo.base_url}/stores/shop/custom/orders", json=body, headers=headers).raise_for_status()
    ran = cli("reconcile", "--verify-redo", "10")
    assert ran.code == 1
    assert "order 2: Redo has other values in lineItems[id=2-1].title\n" in ran.out
    assert "order 3: Redo has no such order\n" in ran.out
    assert "6 orders read back from Redo: 4 as they should be, 2 not.\n2 orders are on the way to Redo\n" in ran.out
    until(
        "they are as they should be",
        lambda: redo.orders().get("3") and redo.orders()["2"]["lineItems"] == [item],
    )
    assert daemon.stop() == 0


def test_a_token_that_may_not_read_is_said(cli: Cli, redo: LocalRedo) -> None:
    daemon = filled(cli)
    assert daemon.stop() == 0
    with connector_played(cli.folder):
        cli.set("redo", api_secret="another-one")
        ran = cli("reconcile", "--verify-redo", "2", "--json")
    assert ran.code == 1
    assert len(ran.json["verified"]["unread"]) == 2
    assert "orders_read" in ran.json["verified"]["unread"][0]["reason"]
    assert "resend" not in ran.json
