"""The page in a real browser, before a connector in a process of its own, a real Postgres and a local Redo."""

from __future__ import annotations

import re
import signal
from collections.abc import Iterator
from contextlib import contextmanager

import psycopg
import pytest
from playwright.sync_api import Browser, expect
from psycopg.conninfo import make_conninfo

from tests.support.fixtures.cli import Cli, Daemon, LocalRedo, started, until
from tests.support.fixtures.page import Visit, browser, close_visit, open_visit
from tests.support.fixtures.postgres import Database

__all__ = ["browser"]

TOKEN = "open-sesame-0123456789"


@pytest.fixture
def connector(cli: Cli, redo: LocalRedo) -> Iterator[Daemon]:
    """It runs, every order is at Redo, and its page may be acted on."""
    cli.set("status", token=TOKEN)
    cli.set("source", statement_timeout="5s")
    daemon = cli.start("run")
    try:
        until("every order is at Redo", lambda: len(redo.orders()) == 6)
    except AssertionError as error:
        raise AssertionError(daemon.said()) from error
    yield daemon
    assert daemon.stop() == 0


@pytest.fixture
def visit(browser: Browser, cli: Cli, connector: Daemon) -> Iterator[Visit]:
    opened = open_visit(browser, f"http://127.0.0.1:{cli.settings['status']['port']}")
    yield opened
    close_visit(opened)


def sign_in(visit: Visit, then: str = "/") -> None:
    visit.go(f"/sign-in?then={then}")
    visit.page.get_by_label("Token").fill(TOKEN)
    visit.page.get_by_role("button", name="Sign in").click()
    expect(visit.page.get_by_role("button", name="Sign out")).to_be_visible()


def change(shop: Database, statement: str) -> None:
    with shop.connect() as conn:
        conn.execute(statement.encode())


@contextmanager
def shut(shop: Database) -> Iterator[None]:
    """The database lets nobody in, and whoever was in is out."""
    dsn = make_conninfo(shop.dsn, dbname="postgres")
    with psycopg.connect(dsn, autocommit=True) as conn:
        conn.execute(f"ALTER DATABASE {shop.name} ALLOW_CONNECTIONS false".encode())
        conn.execute("SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = %s", (shop.name,))
        try:
            yield
        finally:
            conn.execute(f"ALTER DATABASE {shop.name} ALLOW_CONNECTIONS true".encode())


def test_a_change_in_the_oms_shows_on_the_page_and_on_its_orders_page_without_a_reload(
    visit: Visit, shop: Database
) -> None:
    visit.go()
    visit.headline("Delivering: Redo is in step with the OMS")
    visit.page.evaluate("window.kept = true")
    change(shop, "UPDATE shop.item SET qty = 5 WHERE order_id = 4")
    visit.page.get_by_text("Latest deliveries").click()
    row = visit.page.locator("#recent tbody tr").first
    expect(row.get_by_role("rowheader")).to_have_text("4")
    expect(row).to_contain_text("accepted")
    expect(row.locator("td").last).to_contain_text(" s")
    assert visit.page.evaluate("window.kept")
    visit.accessible()
    visit.shot("delivering")
    row.get_by_role("link", name="4").click()
    expect(visit.page.get_by_role("heading", level=1)).to_have_text("Order 4")
    expect(visit.page.locator("main")).to_contain_text("Redo accepted this order as it is now.")
    changes = visit.page.get_by_role("region", name="What changed in the OMS")
    expect(changes.locator("tbody tr").first).to_contain_text(re.compile(r"shop\.item\s*update\s*[0-9A-F]+/[0-9A-F]+"))
    expect(visit.page.get_by_role("row", name=re.compile("lineItems"))).to_contain_text("list of 1")
    text = visit.page.content()
    assert "@shop.example" not in text
    assert "Provo" not in text
    visit.accessible()
    visit.shot("order")


def test_an_orders_page_updates_itself_from_what_is_known_and_asks_for_a_new_look(
    visit: Visit, shop: Database, redo: LocalRedo
) -> None:
    visit.go("/orders/5")
    main, look = visit.page.locator("main"), visit.page.locator("#look")
    expect(visit.page.locator("#verdict")).to_have_text("Redo accepted this order as it is now.")
    expect(look.locator(".urgent")).to_have_count(0)
    visit.page.evaluate("window.kept = true")
    redo.switch(latency_ms=2_000)
    change(shop, "UPDATE shop.item SET qty = 6 WHERE order_id = 5")
    expect(visit.page.locator("#verdict")).to_have_text("On its way to Redo.")
    expect(visit.page.locator("#changes")).to_contain_text("shop.item")
    redo.switch(latency_ms=0)
    expect(visit.page.locator("#verdict")).to_have_text("Redo has accepted it anew since this look.")
    expect(visit.page.locator("#attempts tbody tr").first).to_contain_text(re.compile(r"accepted\s*200\s*[0-9a-f]{12}"))
    assert visit.page.evaluate("window.kept")
    visit.accessible()
    visit.shot("order-overtaken")
    look.locator(".urgent").click()
    expect(visit.page.locator("#verdict")).to_have_text("Redo accepted this order as it is now.")
    expect(look.locator(".urgent")).to_have_count(0)
    expect(main).to_contain_text("No field differs from what Redo accepted.")
    assert not visit.page.evaluate("window.kept")


def test_what_redo_refuses_is_told_with_its_cause_and_tried_again_by_a_person_who_has_the_token(
    visit: Visit, shop: Database, redo: LocalRedo
) -> None:
    change(shop, "UPDATE shop.orders SET email = 'no-address' WHERE id = 2")
    visit.go()
    expect(visit.page.get_by_role("region", name="Refused: 1 order")).to_contain_text("customer.email")
    expect(visit.page.get_by_role("button", name="Try again")).to_have_count(0)
    sign_in(visit)
    visit.page.get_by_role("button", name="Try again").click()
    expect(visit.page.locator("#asked")).to_contain_text("is done: 1 order is on the way to Redo")
    visit.accessible()
    visit.shot("refused")
    visit.go("/orders/2")
    expect(visit.page.locator("main")).to_contain_text("it breaks Redo's contract")
    change(shop, "UPDATE shop.orders SET email = 'again@shop.example' WHERE id = 2")
    visit.page.get_by_role("button", name="Push this order again").click()
    expect(visit.page.locator("main")).to_contain_text("on the way to Redo")
    until("it is at Redo", lambda: redo.orders()["2"]["customer"]["email"] == "again@shop.example")
    visit.page.get_by_role("button", name="Sign out").click()
    expect(visit.page.get_by_role("button", name="Pause delivery")).to_have_count(0)


def test_a_refused_token_and_a_pause_by_hand_are_verdicts_with_a_next_step(
    visit: Visit, shop: Database, redo: LocalRedo, cli: Cli
) -> None:
    redo.switch(unauthorized=True)
    change(shop, "UPDATE shop.item SET qty = 7 WHERE order_id = 1")
    visit.go()
    visit.headline("Paused since ")
    expect(visit.page.locator("#attention")).to_contain_text("Next: check redo.api_secret")
    visit.accessible()
    visit.shot("paused")
    redo.switch(unauthorized=False)
    visit.headline("Delivering")
    sign_in(visit)
    visit.page.get_by_role("button", name="Pause delivery").click()
    visit.headline("Paused by hand since ")
    change(shop, "UPDATE shop.item SET qty = 8 WHERE order_id = 1")
    until("it waits in the ledger", lambda: cli.facts()["affected"] == 1)
    assert redo.orders()["1"]["lineItems"][0]["quantity"] == 7
    visit.page.get_by_role("button", name="Resume delivery").click()
    visit.headline("Delivering")
    until("it is at Redo", lambda: redo.orders()["1"]["lineItems"][0]["quantity"] == 8)


def test_a_mapping_that_fits_no_longer_is_told_as_stalled_and_a_slow_redo_as_catching_up(
    visit: Visit, shop: Database, redo: LocalRedo
) -> None:
    change(shop, "ALTER TABLE shop.note RENAME COLUMN body TO words")
    change(shop, "UPDATE shop.item SET qty = 3 WHERE order_id = 1")
    visit.go()
    visit.headline("Stalled")
    expect(visit.page.locator("#attention")).to_contain_text("n has no column body")
    visit.accessible()
    visit.shot("stalled")
    change(shop, "ALTER TABLE shop.note RENAME COLUMN words TO body")
    visit.headline("Delivering")
    redo.switch(latency_ms=15_000)
    change(shop, "UPDATE shop.item SET qty = 4 WHERE order_id = 1")
    visit.headline("Catching up")
    redo.switch(latency_ms=0)
    visit.shot("catching-up")


def test_a_mapping_that_is_refused_is_told_with_its_place_until_it_is_mended(visit: Visit, cli: Cli) -> None:
    visit.go()
    visit.headline("Delivering")
    expect(visit.page.locator("#lag")).to_contain_text(re.compile(r"Lag\s*0 s\s*Redo has all that was committed"))
    mapping = cli.folder / "mapping.sql"
    mapping.write_text(cli.mapping.replace("n.body", "n.bodice"))
    refused = visit.page.get_by_role("region", name="The mapping was changed, and is refused")
    expect(refused).to_contain_text(re.compile(r"mapping\.sql:\d+"))
    expect(refused).to_contain_text("bodice")
    visit.headline("Delivering")
    visit.accessible()
    visit.shot("mapping-refused")
    mapping.write_text(cli.mapping)
    expect(refused).to_have_count(0)


def test_a_change_of_an_unlikely_size_is_held_until_somebody_approves_it_and_a_connector_that_ended_is_told(
    browser: Browser, cli: Cli, shop: Database, redo: LocalRedo
) -> None:
    change(shop, "INSERT INTO shop.orders SELECT id, 'b' || id || '@shop.example' FROM generate_series(7, 30) id")
    change(shop, "INSERT INTO shop.item SELECT id, 1, 'mug', 1 FROM shop.orders WHERE id > 6")
    cli.set("status", token=TOKEN)
    daemon = cli.start("run")
    until("every order is at Redo", lambda: len(redo.orders()) == 30)
    visit = open_visit(browser, f"http://127.0.0.1:{cli.settings['status']['port']}")
    (cli.folder / "mapping.sql").write_text(cli.mapping.replace("'shelf '", "'rack '"))
    sign_in(visit)
    visit.headline("held for approval")
    waiting = visit.page.get_by_role("region", name="Held for approval")
    expect(waiting).to_contain_text("30 orders that would change at Redo")
    expect(waiting).to_contain_text("Because: mapping changed.")
    visit.page.get_by_text("Approve hold").click()
    visit.accessible()
    visit.shot("held")
    visit.page.get_by_role("button", name="Let all 30 go").click()
    visit.headline("Delivering: Redo is in step with the OMS")
    until("Redo has them all", lambda: {order["salesChannel"] for order in redo.orders().values()} == {"rack 100"})
    expect(visit.page.locator("#lost")).to_be_hidden()
    assert daemon.stop() == 0
    expect(visit.page.locator("#lost")).to_be_visible()
    visit.expected = ("ERR_CONNECTION_REFUSED", "ERR_INCOMPLETE", "ERR_EMPTY_RESPONSE")
    close_visit(visit)


def test_the_page_is_whole_without_javascript_and_found_by_keyboard(
    browser: Browser, connector: Daemon, cli: Cli
) -> None:
    visit = open_visit(browser, f"http://127.0.0.1:{cli.settings['status']['port']}", javascript=False)
    visit.go()
    visit.headline("Delivering")
    expect(visit.page.locator(".road li")).to_have_count(5)
    assert visit.page.locator("meta[http-equiv=refresh]").count() == 1
    visit.page.keyboard.press("Tab")
    expect(visit.page.get_by_text("Skip to the content")).to_be_focused()
    for _ in range(2):
        visit.page.keyboard.press("Tab")
    visit.page.keyboard.type("6")
    visit.page.keyboard.press("Enter")
    expect(visit.page.get_by_role("heading", level=1)).to_have_text("Order 6")
    expect(visit.page.locator("#verdict")).to_have_text("Redo accepted this order as it is now.")
    expect(visit.page.get_by_role("link", name="Look again")).to_be_visible()
    visit.go("/orders/4711")
    expect(visit.page.locator("main")).to_contain_text("knows an order 4711")
    visit.expected = ("404",)
    close_visit(visit)


def test_a_start_a_first_fill_a_lost_database_and_an_end_are_verdicts(
    browser: Browser, cli: Cli, shop: Database, redo: LocalRedo
) -> None:
    cli.set("redo", max_concurrency=1)
    with shop.connect() as slow, slow.transaction():
        slow.execute("SELECT pg_current_xact_id()")
        daemon = cli.start("run")
        daemon.until_said("slot_waits")
        visit = open_visit(browser, f"http://127.0.0.1:{cli.settings['status']['port']}")
        visit.go()
        visit.headline("Starting")
        expect(visit.page.locator("#attention")).to_contain_text(
            "The slot can be made once these transactions have ended"
        )
        visit.accessible()
        visit.shot("starting")
        redo.switch(latency_ms=1_500)
    visit.headline("Filling Redo for the first time")
    expect(visit.page.locator("#attention")).to_contain_text(" of about 6")
    redo.switch(latency_ms=0)
    visit.accessible()
    visit.shot("backfilling")
    visit.headline("Delivering")
    with shut(shop):
        visit.headline("Disconnected from the OMS database")
        expect(visit.page.locator("#attention")).to_contain_text("Nothing is lost")
        expect(visit.page.locator("#lag b")).to_contain_text(re.compile(r"[1-9]\d* s"))
        visit.accessible()
        visit.shot("disconnected")
    visit.headline("Delivering")
    redo.switch(latency_ms=3_000)
    change(shop, "UPDATE shop.item SET qty = 9 WHERE order_id = 1")
    until("it is on its way", lambda: cli.facts()["in_flight"] == 1)
    daemon.process.send_signal(signal.SIGTERM)
    visit.headline("Stopping")
    assert daemon.process.wait(30.0) == 0
    assert redo.orders()["1"]["lineItems"][0]["quantity"] == 9
    visit.expected = ("ERR_CONNECTION_REFUSED", "ERR_INCOMPLETE", "ERR_EMPTY_RESPONSE")
    close_visit(visit)


def test_orders_are_shown_by_key_and_id_and_a_refused_first_fill_is_held(
    browser: Browser, cli: Cli, shop: Database, redo: LocalRedo
) -> None:
    change(shop, "INSERT INTO shop.orders SELECT id, 'nobody' FROM generate_series(7, 1500) AS id")
    change(shop, "INSERT INTO shop.item SELECT id, 1, 'mug', 2 FROM shop.orders WHERE id > 6")
    cli.mapping = cli.mapping.replace("o.id::text AS id", "'W/' || o.id || ' #-2' AS id")
    cli.set("status", token=TOKEN)
    daemon = started(cli)
    until("the rest is held", lambda: cli.facts()["held_orders"] > 300 and not cli.facts()["affected"])
    visit = open_visit(browser, f"http://127.0.0.1:{cli.settings['status']['port']}")
    sign_in(visit)
    visit.headline("Held: nearly all orders of the first fill are refused")
    held = visit.page.get_by_role("region", name="Held for approval")
    expect(held).to_contain_text("of the first fill, not looked at")
    expect(held).to_contain_text("customer.email: must be an email address")
    key = cli.facts()["dead_letter_groups"][0]["samples"][0]
    expect(visit.page.get_by_role("region", name=re.compile("^Refused: "))).to_contain_text(f"{key} (W/{key} #-2)")
    visit.accessible()
    visit.shot("first-fill-held")
    visit.page.get_by_label("Order key or id").fill(f"W/{key} #-2")
    visit.page.get_by_role("button", name="Find").click()
    expect(visit.page.locator("h1")).to_have_text(f"Order {key} (W/{key} #-2)")
    visit.accessible()
    visit.shot("order-by-id")
    close_visit(visit)
    assert daemon.stop() == 0
