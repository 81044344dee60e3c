"""An order that is known by its row isn't made again."""

from __future__ import annotations

from collections import Counter
from typing import Any

import pytest

from connector.contract.order_builder import RedoContract
from connector.model.orders import Document, Order
from connector.pipeline.sweeps.second_looks import SecondLooks
from tests.support.fixtures.connector import Rig, eventually


@pytest.fixture
def made(monkeypatch: pytest.MonkeyPatch) -> Counter[Any]:
    """How often orders were made of rows, by id."""
    counted: Counter[Any] = Counter()
    make = RedoContract.order

    def counting(self: RedoContract, document: Document, seen_at: float) -> Order:
        counted[str(document["id"])] += 1
        return make(self, document, seen_at)

    monkeypatch.setattr(RedoContract, "order", counting)
    return counted


async def test_after_a_restart_a_reconcile_makes_only_the_orders_whose_rows_differ(
    rig: Rig, made: Counter[Any]
) -> None:
    await rig.start()
    await rig.quiet()
    await rig.stop()
    made.clear()
    rig.execute("UPDATE oms.order_header SET tag_list = 'changed' WHERE ord_id = 7")
    rig.overrides = {"reconcile": {"every": 0.05}}
    await rig.start()
    await _swept(rig, 2)
    await rig.quiet()
    assert made == {"7": 1}
    assert rig.stored()["7"]["tags"] == ["changed"]


async def test_a_row_that_changed_and_made_no_difference_is_known_from_then_on(rig: Rig, made: Counter[Any]) -> None:
    rig.overrides = {"mapping": {"ignore": ["updatedAt", "tags"]}}
    await rig.start()
    await rig.quiet()
    pushes = rig.sandbox.state.pushes.total()
    made.clear()
    rig.execute("UPDATE oms.order_header SET tag_list = 'ignored' WHERE ord_id = 7")
    await eventually("it was looked at", lambda: made == {"7": 1})
    await rig.quiet()
    await rig.stop()
    rig.overrides |= {"reconcile": {"every": 0.05}}
    await rig.start()
    await _swept(rig, 2)
    assert (made, rig.sandbox.state.pushes.total()) == ({"7": 1}, pushes)


async def test_another_list_of_ignored_fields_makes_every_order_anew(rig: Rig, made: Counter[Any]) -> None:
    await rig.start()
    await rig.quiet()
    await rig.stop()
    orders = {*made}
    made.clear()
    rig.overrides = {"mapping": {"ignore": ["updatedAt", "tags"]}, "reconcile": {"every": 0.05}}
    await rig.start()
    await _swept(rig, 2)
    assert {*made} == orders


async def test_a_row_that_can_not_be_parsed_is_its_orders_fault_alone_however_often_it_is_looked_at(
    rig: Rig, monkeypatch: pytest.MonkeyPatch
) -> None:
    read: list[str] = []
    monkeypatch.setattr(SecondLooks, "readable", lambda _, letter: read.append(letter.key))
    number = "CASE WHEN o.ord_no = 'broken' THEN to_jsonb(repeat('1', 5000)::numeric) ELSE to_jsonb(o.ord_no) END"
    rig.mapping = rig.mapping.replace("'value', o.ord_no", f"'value', {number}")
    await rig.start()
    await rig.quiet()
    for times in (1, 2):
        rig.execute("UPDATE oms.order_header SET ord_no = 'broken', tag_list = %s WHERE ord_id = 3", str(times))
        await rig.quiet()
        [letter] = await rig.running.pipeline.ports.store.dead_letters(None, 9)
        assert (letter.key, letter.reason, letter.attempts, read) == ("3", "mapping", times, [])
        assert "order 3" in letter.message
    rig.execute("UPDATE oms.order_header SET ord_no = 'mended' WHERE ord_id = 3")
    await rig.quiet()
    assert await rig.running.pipeline.ports.store.dead_letters(None, 9) == []
    assert (rig.stored()["3"]["tags"], read) == (["2"], ["3"])


async def _swept(rig: Rig, times: int) -> None:
    """So many sweeps that began from now on are over."""
    seen: set[int] = set()

    def over() -> bool:
        last = rig.running.pipeline.sweeps.last
        if last is not None:
            seen.add(last.revision)
        return len(seen) > times

    await eventually("sweeps are over", over)
