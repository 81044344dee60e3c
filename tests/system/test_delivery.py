"""Delivery that can be trusted, with the whole connector: removals, holds, redrives, history, stores, late requests."""

from __future__ import annotations

from typing import Any

import orjson
import pytest
from cryptography.fernet import Fernet

from connector.checkpoints.address import Address
from connector.checkpoints.opening import open_requests
from connector.model.orders import OrderKey
from connector.pipeline.ports.holds import HoldState
from tests.support.fixtures.connector import Rig, eventually


def _orders(rig: Rig) -> dict[str, Any]:
    return {name: orjson.loads(body) for name, body in rig.sandbox.state.orders.items()}


def _counter(rig: Rig, name: str, **labels: str) -> float:
    return rig.running.metrics.registry.get_sample_value(f"redo_connector_{name}", labels) or 0.0


def _one_key(rig: Rig) -> str:
    with rig.database.connect() as conn:
        row = conn.execute("SELECT ord_id::text FROM oms.order_header ORDER BY ord_id LIMIT 1").fetchone()
    assert row is not None
    return str(row[0])


async def _known_id(rig: Rig, key: str) -> str:
    known = await rig.running.pipeline.ports.store.known([OrderKey(key)])
    return known.checkpoints[OrderKey(key)].order_id


async def _ask(rig: Rig, verb: str, **arguments: Any) -> str:
    requests = open_requests(Address(rig.settings().checkpoints.url.get_secret_value()))
    number = requests.ask(verb, arguments, 0.0)

    def done() -> Any:
        rig.check()
        request = requests.get(number)
        return request if request is not None and request.finished else None

    request = await eventually(f"{verb} is carried out", done)
    requests.close()
    assert request.state == "done", request.message
    return str(request.message)


def _leave_out_gone(rig: Rig) -> None:
    rig.mapping = f"{rig.mapping.rstrip()}\nWHERE o.tag_list IS DISTINCT FROM 'gone'\n"


async def test_an_unlikely_change_of_the_mapping_is_held_live_changes_flow_and_approval_lets_it_go(rig: Rig) -> None:
    await rig.start()
    await rig.quiet()
    await rig.stop()
    before = rig.sandbox.state.pushes.total()
    rig.mapping = rig.mapping.replace("END AS sales_channel", "END || ' 2' AS sales_channel")
    assert "|| ' 2'" in rig.mapping
    await rig.start()
    memory = rig.running.pipeline.ports.store
    await eventually("all of it is held", lambda: _held(rig, 40))
    assert rig.sandbox.state.pushes.total() == before, "nothing was pushed before it was judged"
    (hold,) = await memory.holds()
    assert hold.state is HoldState.HELD
    summary = await memory.summarise(hold.number, 3)
    assert summary is not None
    assert summary.fields == {"salesChannel": hold.orders}
    key = _one_key(rig)
    rig.execute(f"UPDATE oms.order_header SET tag_list = 'live' WHERE ord_id = {key}")
    await eventually("the live change flows", lambda: rig.sandbox.state.pushes.total() == before + 1)
    assert "20 orders are" in await _ask(rig, "approve", hold=hold.number, limit=20)
    await eventually("the canary went", lambda: rig.sandbox.state.pushes.total() == before + 21)
    await _ask(rig, "approve", hold=hold.number, limit=None)
    await eventually("nothing is held", lambda: _free(rig))
    await rig.quiet()
    assert (await rig.verdict()).clean


async def _held(rig: Rig, orders: int = 1) -> Any:
    tally = await rig.tally()
    return tally if tally.holds and tally.held >= orders else None


async def _free(rig: Rig) -> bool:
    return (await rig.tally()).held == 0


async def test_a_larger_bound_in_the_settings_lets_a_hold_go(rig: Rig) -> None:
    await rig.start()
    await rig.quiet()
    await rig.stop()
    rig.mapping = rig.mapping.replace("END AS sales_channel", "END || ' 2' AS sales_channel")
    await rig.start()
    await eventually("it is held", lambda: _held(rig))
    await rig.stop()
    rig.overrides.setdefault("guard", {})["max_share"] = 1
    await rig.start()
    await eventually("nothing is held", lambda: _free(rig))
    await rig.quiet()
    assert (await rig.verdict()).clean


@pytest.mark.parametrize("policy", ["cancel", "delete"])
async def test_an_order_that_leaves_the_mapping_is_removed_and_pushed_again_when_it_returns(
    rig: Rig, policy: str
) -> None:
    rig.overrides["mapping"] = {"missing": policy}
    rig.overrides["checkpoints"] = {"keep": "payload", "payload_keys": Fernet.generate_key().decode()}
    _leave_out_gone(rig)
    await rig.start()
    await rig.quiet()
    key = _one_key(rig)
    name = await _known_id(rig, key)
    rig.execute(f"UPDATE oms.order_header SET tag_list = 'gone' WHERE ord_id = {key}")

    def removed() -> bool:
        orders = _orders(rig)
        if policy == "delete":
            return name not in orders
        return orders[name].get("cancelReason") == "other" and bool(orders[name]["cancelledAt"])

    await eventually("Redo has it no longer", removed)
    await rig.quiet()
    assert _counter(rig, "removed_orders_total", action=f"{policy}led" if policy == "cancel" else "deleted") == 1
    rig.execute(f"UPDATE oms.order_header SET tag_list = 'back' WHERE ord_id = {key}")
    await eventually("it is back", lambda: name in _orders(rig) and not _orders(rig)[name].get("cancelledAt"))
    await rig.quiet()
    assert (await rig.verdict()).clean


async def test_a_burst_of_removals_is_held_before_the_first_one(rig: Rig) -> None:
    rig.overrides["mapping"] = {"missing": "delete"}
    _leave_out_gone(rig)
    await rig.start()
    await rig.quiet()
    there = len(rig.sandbox.state.orders)
    rig.execute("UPDATE oms.order_header SET tag_list = 'gone'")
    tally = await eventually("it is held", lambda: _held(rig))
    assert tally.held > 10
    assert len(rig.sandbox.state.orders) == there
    assert rig.sandbox.state.answers["DELETE 200"] == 0


async def test_a_redrive_pushes_dead_letters_again_by_group(rig: Rig) -> None:
    await rig.start()
    await rig.quiet()
    key = _one_key(rig)
    name = await _known_id(rig, key)
    rig.switch(reject=[name])
    rig.execute(f"UPDATE oms.order_header SET tag_list = 'refused' WHERE ord_id = {key}")
    memory = rig.running.pipeline.ports.store
    (group,) = await eventually("it is refused", memory.letter_groups)
    assert (group.reason, group.orders) == ("rejected", 1)
    rig.switch(reject=[])
    assert "1 order is" in await _ask(rig, "redrive", group=group.group)
    await rig.quiet()
    assert (await rig.tally()).dead_letters == {}
    assert (await rig.verdict()).clean


async def test_a_changed_line_item_id_is_told_and_pushed(rig: Rig) -> None:
    await rig.start()
    await rig.quiet()
    rig.execute(
        "UPDATE oms.order_item SET line_no = line_no + 100 WHERE (ord_id, line_no) = (SELECT i.ord_id, i.line_no"
        " FROM oms.order_item i WHERE NOT EXISTS (SELECT FROM oms.shipment_item s WHERE s.ord_id = i.ord_id) LIMIT 1)"
    )
    await eventually("it is told", lambda: _counter(rig, "order_warnings_total", kind="line_item_id_changed") >= 1)
    await rig.quiet()
    assert (await rig.tally()).warnings["line_item_id_changed"] == 1
    assert (await rig.verdict()).clean


async def test_a_reconcile_that_is_asked_for_says_what_it_found(rig: Rig) -> None:
    await rig.start()
    await rig.quiet()
    message = await _ask(rig, "reconcile")
    assert "0 missed, 0 changed, 0 extra" in message
    assert rig.running.pipeline.sweeps.verified_through is not None
