"""The order key changed its shape, and something was under way: orders went meanwhile, pushes have no answer, changes
wait, the process dies in between, keys are damaged. Nothing is removed by itself, and nothing is lost or stuck.
"""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest
from cryptography.fernet import Fernet
from structlog.testing import capture_logs

from connector.model.orders import OrderKey, is_former
from connector.pipeline.failpoints import OF_KEYS
from connector.pipeline.ports.holds import Hold, HoldState
from connector.pipeline.ports.records import SweepKind
from connector.pipeline.sweeps import page_reader
from connector.sandbox.server import SandboxServer
from tests.support.fixtures.connector import eventually
from tests.support.fixtures.postgres import Database
from tests.support.oms.key_shapes import KEY, ORDERS, Shop, filled, opened
from tests.support.processes.crashes import armed, killed

WIDENED = KEY.format("id, placed")
NARROWED = KEY.format("id")


@pytest.fixture
async def shop(database: Database, sandbox: SandboxServer, tmp_path: Path) -> AsyncIterator[Shop]:
    async with opened(database, sandbox, tmp_path) as made:
        yield made


async def held(shop: Shop, orders: int) -> Hold:
    async def so() -> Hold | None:
        holds = await shop.memory.holds()
        return next((one for one in holds if one.state is HoldState.HELD and one.orders == orders), None)

    found: Hold = await eventually(f"{orders} orders are held", so)
    return found


async def restarted(shop: Shop, *scripts: str) -> None:
    """With these transactions in between."""
    await shop.rig.stop()
    for script in scripts:
        shop.run(script)
    await shop.rig.start()


async def reconciled(shop: Shop) -> None:
    control = shop.rig.running.pipeline.control
    revision = await control.sweep(SweepKind.RECONCILE)
    await eventually("the reconcile is over", lambda: control.finished(revision))


async def test_orders_that_went_meanwhile_are_held_however_few_and_only_they_go_once_approved(shop: Shop) -> None:
    await filled(shop)
    await restarted(shop, WIDENED, "DELETE FROM store.orders WHERE number IN ('R7', 'R8')")
    await shop.rig.quiet()
    hold = await held(shop, 2)
    assert "key changed" in hold.cause
    assert len(shop.rig.stored()) == ORDERS
    shop.run("DELETE FROM store.orders WHERE number = 'R9'")
    await eventually("an ordinary removal passes", lambda: "R9" not in shop.rig.stored())
    await restarted(shop)
    await reconciled(shop)
    await shop.rig.quiet()
    hold = await held(shop, 2)
    assert len(shop.rig.stored()) == ORDERS - 1, "neither a start nor a reconcile lets them go"
    assert await shop.rig.running.pipeline.control.approve(hold.number, None) == 2
    await eventually("approved", lambda: shop.rig.stored().keys().isdisjoint({"R7", "R8"}))
    await shop.well()
    assert len(shop.rig.stored()) == ORDERS - 3
    assert not any(map(is_former, await shop.keys()))


async def test_a_held_order_that_is_there_again_takes_over_what_is_stored(shop: Shop) -> None:
    await filled(shop)
    await restarted(shop, WIDENED + "; CREATE TABLE store.aside AS SELECT * FROM store.orders WHERE number = 'R7';"
                    "DELETE FROM store.orders WHERE number = 'R7'")  # fmt: skip
    await shop.rig.quiet()
    await held(shop, 1)
    pushed = shop.asked()
    shop.run("INSERT INTO store.orders SELECT * FROM store.aside")
    await shop.well()
    assert (await shop.memory.holds(), shop.asked()) == ([], pushed)


async def test_an_order_that_left_before_is_pushed_when_it_returns(shop: Shop) -> None:
    shop.rig.overrides["mapping"] = {"missing": "ignore"}
    await filled(shop)
    await restarted(shop, WIDENED, "DELETE FROM store.orders WHERE number = 'R7'")
    await shop.rig.quiet()
    assert (await shop.rig.tally()).missing == 1
    pushed = shop.asked()
    shop.run("INSERT INTO store.orders SELECT 70, placed, channel, code, rate, label, 'R7', 'back' FROM store.orders "
             "WHERE number = 'R6'")  # fmt: skip
    await shop.well()
    assert (await shop.rig.tally()).missing == 0
    assert {order for order, times in shop.asked().items() if times > pushed[order]} == {"R7"}


async def test_kept_payloads_go_along_so_that_an_order_can_be_cancelled_later(shop: Shop) -> None:
    shop.rig.overrides["mapping"] = {"missing": "cancel"}
    shop.rig.overrides["checkpoints"] = {"keep": "payload", "payload_keys": Fernet.generate_key().decode()}
    await filled(shop)
    await restarted(shop, WIDENED, "DELETE FROM store.orders WHERE number = 'R8'")
    await shop.rig.quiet()
    shop.run("DELETE FROM store.orders WHERE number = 'R7'")
    await eventually("it is cancelled", lambda: shop.rig.stored()["R7"].get("cancelReason") == "other")
    assert not shop.rig.stored()["R8"].get("cancelReason")
    hold = await held(shop, 1)
    await shop.rig.running.pipeline.control.approve(hold.number, None)
    await eventually("so is this one", lambda: shop.rig.stored()["R8"].get("cancelReason") == "other")


async def test_a_push_without_an_answer_is_confirmed_though_its_key_is_another_one_now(shop: Shop) -> None:
    """Redo got another state, the process died, and the order turned back to what its checkpoint says."""
    await filled(shop)
    await shop.rig.stop()
    shop.run("UPDATE store.orders SET status = 'in between' WHERE number = 'R4'")
    await killed(shop.rig, armed(shop.rig, "deliver.after_push"))
    assert shop.rig.stored()["R4"]["salesChannel"] == "in between"
    shop.run("UPDATE store.orders SET status = 'new' WHERE number = 'R4'; " + WIDENED)
    await shop.rig.start()
    await shop.well()
    assert shop.rig.stored()["R4"]["salesChannel"] == "new"


async def test_nothing_is_pushed_while_a_request_under_a_former_key_may_still_be_carried_out(shop: Shop) -> None:
    await filled(shop)
    await shop.rig.stop()
    shop.rig.overrides["redo"] = {"confirm_after": 4.0, "timeout": 0.3}
    shop.rig.switch(late=1, late_seconds=3.0)
    shop.run("UPDATE store.orders SET status = 'late' WHERE number = 'R4'")
    await killed(shop.rig, armed(shop.rig, "settle.before"))
    shop.run("UPDATE store.orders SET status = 'newest' WHERE number = 'R4'; " + WIDENED)
    await shop.rig.start()
    await shop.well()
    assert shop.rig.stored()["R4"]["salesChannel"] == "newest"


async def test_what_waits_when_the_key_changes_arrives_and_nothing_else_is_pushed(shop: Shop) -> None:
    await filled(shop)
    pushed = shop.asked()
    await shop.rig.running.pipeline.control.pause()
    shop.run("UPDATE store.orders SET status = 'paid' WHERE number IN ('R3', 'R4')")
    shop.run("DELETE FROM store.item WHERE number = 'R5' AND sku = 'sku1'")
    await shop.waiting(2)
    await restarted(shop, WIDENED)
    await restarted(shop, KEY.format("placed, id"), "UPDATE store.item SET sku = 'other' WHERE id = 61")
    await shop.rig.running.pipeline.control.resume()
    await shop.well()
    assert {order for order, times in shop.asked().items() if times > pushed[order]} == {"R3", "R4", "R5", "R6"}
    assert not any(map(is_former, await shop.keys()))


async def test_a_sweep_in_the_midst_of_the_old_keys_begins_anew(shop: Shop, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(page_reader, "PAGE", 4)
    shop.rig.overrides["reconcile"] = {"orders_per_second": 4}
    await filled(shop)
    pushed, pipeline = shop.asked(), shop.rig.running.pipeline
    await pipeline.control.sweep(SweepKind.RECONCILE)
    await eventually("it is somewhere", lambda: pipeline.sweeps.current and pipeline.sweeps.current.cursor)
    await restarted(shop, WIDENED)
    await shop.well()
    assert shop.asked() == pushed
    assert not any(map(is_former, await shop.keys()))


@pytest.mark.parametrize("point", OF_KEYS)
async def test_a_kill_while_the_key_changes_loses_and_removes_nothing(shop: Shop, point: str) -> None:
    await filled(shop)
    await shop.rig.running.pipeline.control.pause()
    shop.run("UPDATE store.orders SET status = 'paid' WHERE number = 'R3'")
    await shop.waiting(1)
    await shop.rig.running.pipeline.manual_pause.end()
    await shop.rig.stop()
    pushed = shop.asked()
    shop.run(WIDENED)
    shop.run("UPDATE store.orders SET status = 'paid' WHERE number = 'R4'")
    await killed(shop.rig, armed(shop.rig, point))
    await shop.rig.start()
    await shop.well()
    # Which of the orders that were in work then had been pushed, nobody knows.
    in_work = set(pushed) if point == "former.after_claim" else set()
    assert {order for order, times in shop.asked().items() if times > pushed[order]} <= {"R3", "R4"} | in_work
    assert len(shop.rig.stored()) == ORDERS
    assert not any(map(is_former, await shop.keys()))
    assert await shop.memory.holds() == []


async def test_a_key_that_changes_back_in_the_midst_of_it_is_taken_up_again(shop: Shop) -> None:
    await filled(shop)
    await shop.rig.stop()
    pushed = shop.asked()
    shop.run(WIDENED)
    await killed(shop.rig, armed(shop.rig, "former.after_sweep"))
    shop.run(NARROWED)
    await shop.rig.start()
    await shop.well()
    assert shop.asked() == pushed
    assert not any(map(is_former, await shop.keys()))


async def test_a_store_that_an_older_version_left_stuck_recovers(shop: Shop) -> None:
    """It knew nothing of shapes: every order is refused as a duplicate of itself under its old key."""
    await filled(shop)
    await shop.rig.stop()
    pushed = shop.asked()
    shop.run(WIDENED)
    shop.altered("DELETE FROM note WHERE name = 'order_key'")
    begun_again = "'$.finished_at', NULL, '$.phase', 1, '$.cursor', NULL"
    shop.altered(f"UPDATE note SET value = json_set(value, {begun_again}) WHERE name = 'sweep'")
    shop.altered(
        "INSERT INTO dead_letter"
        " (key, reason, message, paths, first_seen, last_seen, attempts, cause, letter_group, store_id)"
        """ SELECT '["' || key || '","2026-01-02"]', 'duplicate', 'no', '[]', 1, 1, 1, 'no', 'x', '' FROM checkpoint"""
    )
    with capture_logs() as logs:
        await shop.rig.start()
        await shop.well()
    assert [one for one in logs if one["event"] == "order_key_changed"]
    assert shop.asked() == pushed
    await shop.goes_on()


async def test_a_store_of_an_older_version_whose_keys_fit_goes_on_as_before(shop: Shop) -> None:
    await filled(shop)
    await shop.rig.stop()
    pushed = shop.asked()
    shop.altered("DELETE FROM note WHERE name = 'order_key'")
    with capture_logs() as logs:
        await shop.rig.start()
        await shop.well()
    assert not [one for one in logs if one["event"] == "order_key_changed"]
    assert shop.asked() == pushed


async def test_one_damaged_key_stops_nothing_and_its_order_is_found_again(shop: Shop) -> None:
    await filled(shop)
    await shop.rig.stop()
    pushed = shop.asked()
    for key, damaged in (("7", "x7"), ("8", "99999999999999999999"), ("9", "")):
        shop.altered("UPDATE checkpoint SET key = ? WHERE key = ?", damaged, key)
    shop.altered("UPDATE checkpoint SET key = 'gone', order_id = 'R99' WHERE key = '10'")
    await shop.rig.start()
    shop.run("UPDATE store.orders SET status = 'paid' WHERE number IN ('R7', 'R11')")
    await shop.well()
    await reconciled(shop)
    await shop.well()
    changed = {order for order, times in shop.asked().items() if times > pushed[order]}
    assert changed == {"R7", "R11", "R10"}, "nothing was known of R10"
    assert "key changed" in (await held(shop, 1)).cause, "nobody knows which order that was"


async def test_damaged_keys_in_bulk_are_found_and_held(shop: Shop) -> None:
    await filled(shop)
    await shop.rig.stop()
    shop.altered(
        "WITH RECURSIVE n (i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 3000) INSERT INTO checkpoint"
        " (key, order_id, fingerprint, accepted_at, missing, store_id, digest, traits, row_digest)"
        " SELECT 'k' || i, 'S' || i, x'01', 1, 0, 'sandbox-store', x'', x'', x'' FROM n"
    )
    await shop.rig.start()
    await reconciled(shop)
    await shop.well()
    assert (await held(shop, 3000)).kind.value == "vanished"


async def test_a_person_who_asks_for_an_old_key_disturbs_nothing(shop: Shop) -> None:
    await filled(shop)
    await restarted(shop, WIDENED)
    await shop.well()
    pushed = shop.asked()
    await shop.rig.running.pipeline.control.resend([OrderKey("7"), OrderKey("<former key 1> 7")])
    await shop.well()
    assert shop.asked() == pushed
    await shop.goes_on()


@pytest.mark.parametrize("columns", ["number", "code", "placed, number"])
async def test_another_order_key_in_the_mapping_is_another_shape(shop: Shop, columns: str) -> None:
    await filled(shop)
    pushed = shop.asked()
    shop.rig.mapping = f"-- order_key: store.orders({columns})\n{shop.rig.mapping}"
    await restarted(shop)
    await shop.well()
    assert shop.asked() == pushed
    assert not any(map(is_former, await shop.keys()))
    await shop.goes_on()


async def test_ids_that_change_hands_while_the_key_changes_are_sorted_out(shop: Shop) -> None:
    await filled(shop)
    await restarted(
        shop,
        WIDENED,
        "UPDATE store.orders SET number = 'R71' WHERE number = 'R7'; UPDATE store.item SET number = 'R71' WHERE"
        " number = 'R7'; UPDATE store.orders SET number = 'R7' WHERE number = 'R8'; UPDATE store.orders"
        " SET number = 'R8' WHERE number = 'R9'",
    )
    await shop.rig.quiet()
    await held(shop, 1)
    stored: dict[str, Any] = shop.rig.stored()
    assert {"R7", "R8", "R9", "R71"} <= stored.keys()
    assert (await shop.rig.verdict()).stale == ()
    assert (await shop.rig.tally()).dead_letters == {}
