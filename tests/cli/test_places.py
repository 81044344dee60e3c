"""A rehearsal becomes production, as an operator does it: with the command, step by step as the README says."""

from __future__ import annotations

import httpx2 as httpx

from tests.support.fixtures.cli import TOKEN, Cli, LocalRedo, started, until

AT_SANDBOX = "the checkpoints were accepted by"


def another_redo(cli: Cli) -> LocalRedo:
    daemon = cli.start("sandbox", "--port", "0", "--store-id", "shop", "--api-secret", TOKEN)
    return LocalRedo(daemon.until_said(r"redo.base_url = (\S+)"))


def rehearsed(cli: Cli) -> LocalRedo:
    """All six orders at the sandbox; the settings name another Redo by now."""
    daemon = started(cli)
    until("all orders are pushed", lambda: cli.facts().get("checkpoints") == 6)
    assert daemon.stop() == 0
    production = another_redo(cli)
    cli.set("redo", base_url=production.base_url)
    return production


def line(text: str) -> str:
    """As it was before it was wrapped for a terminal."""
    return " ".join(text.split())


def test_the_way_from_the_rehearsal_to_production(cli: Cli, redo: LocalRedo) -> None:
    production = rehearsed(cli)
    found = (
        f"{AT_SANDBOX} {redo.base_url} store shop (6 orders); {production.base_url} store shop has accepted none yet:"
        " every order is to be pushed"
    )
    checked = cli("check")
    assert checked.code == 0
    assert f"another address or store than before: {found}" in line(checked.out)
    assert "pushes nothing there before `redo-connector approve` lets it" in line(checked.out)
    previewed = cli("preview", "1")
    assert previewed.out.startswith("order 1: new\n")
    assert found in line(previewed.err)

    daemon = started(cli)
    assert found in daemon.until_said(r"endpoint_changed .*")
    until("all are held", lambda: cli.facts()["held_orders"] == 6)
    facts = cli.facts()
    assert (facts["state"], facts["reason"], facts["ready"]) == ("held", found, False)
    status = cli("status", "--all")
    assert "Nothing is pushed before somebody approves where to, nothing is lost" in line(status.out)
    assert f"accepted by {redo.base_url} store shop: 6 orders, not in use" in status.out
    assert f"accepted by {production.base_url} store shop: 0 orders, to be approved" in status.out
    page = httpx.get(f"http://127.0.0.1:{cli.settings['status']['port']}/").text
    assert "Held: another address or store of Redo is to be approved" in page
    assert "Nothing is pushed there before somebody approves it" in page
    assert f"<dt>Checkpoints count for</dt><dd>{production.base_url} <small>store shop, to be approved</small>" in page
    listed = cli("approve", "--list")
    assert "6 orders for a new address or store" in listed.out
    assert f"because: {found}" in line(listed.out)
    assert production.orders() == {}

    assert cli("approve", "--canary", "2", "--yes").out.endswith("2 orders are on the way to Redo\n")
    until("two went first", lambda: len(production.orders()) == 2)
    assert cli("approve", "--yes").out.endswith("4 orders are on the way to Redo\n")
    until("all are there", lambda: len(production.orders()) == 6)
    assert f"in store shop at {production.base_url}, " in cli("explain-order", "1").out
    assert daemon.stop() == 0
    assert "another address or store" not in cli("check").out

    cli.set("redo", base_url=redo.base_url)
    daemon = started(cli)
    assert "has accepted 6 orders: every order is compared with those" in daemon.until_said(r"endpoint_changed .*")
    until("all are compared", lambda: cli.facts()["last_reconcile"])
    assert cli.facts()["counts"]["pushed"] == 0
    assert daemon.stop() == 0


def test_yes_asks_nobody(cli: Cli) -> None:
    production = rehearsed(cli)
    daemon = cli.start("run", "--yes")
    until("all are there", lambda: len(production.orders()) == 6)
    assert daemon.stop() == 0


def test_orders_are_not_read_back_from_where_they_were_not_pushed_to(cli: Cli, redo: LocalRedo) -> None:
    """The settings were changed under a running connector."""
    daemon = started(cli)
    until("all orders are pushed", lambda: cli.facts().get("checkpoints") == 6)
    cli.set("redo", base_url=another_redo(cli).base_url)
    ran = cli("reconcile", "--verify-redo", "5")
    assert ran.code == 2
    assert f"another address or store than the connector pushes to: {AT_SANDBOX} {redo.base_url}" in line(ran.err)
    assert daemon.stop() == 0


def test_backfill_resend_pushes_every_order_again(cli: Cli, redo: LocalRedo) -> None:
    daemon = started(cli)
    until("all orders are pushed", lambda: cli.facts().get("checkpoints") == 6)
    assert redo.stats()["answers"] == {"POST 200": 6}
    unasked = cli("backfill", "--resend", typed="y\n")
    assert unasked.code == 2
    assert "nothing was done" in unasked.err
    assert redo.stats()["answers"] == {"POST 200": 6}
    ran = cli("backfill", "--resend", "--yes")
    assert (ran.code, ran.out) == (0, "6 orders looked at and pushed again, equal or not\n")
    assert redo.stats()["answers"] == {"POST 200": 12}
    assert cli("backfill", "--resend", "--yes", "--json").json["request"]["arguments"] == {"resend": True}
    assert daemon.stop() == 0


def test_a_backfill_without_a_connector_waits_for_the_approval_too(cli: Cli) -> None:
    production = rehearsed(cli)
    ran = cli("backfill")
    assert ran.out == "6 orders compared: 6 missed, 0 changed, 0 extra; 6 wait for approval\n"
    assert production.orders() == {}
