"""Rules of Redo's that orders break, with the whole connector: refused, or pushed with a warning, as settings say."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from connector.inspect.checks.check import check
from connector.inspect.orders.explain_order import story
from connector.inspect.orders.preview import preview
from connector.inspect.orders.verify_redo import verify
from connector.status.page import render
from tests.support.fixtures.connector import Rig, eventually

RULE = "returnable_quantity"


def break_the_rule(rig: Rig) -> None:
    """Of order 7 more can be returned than was ordered."""
    mapping = rig.mapping.replace("ELSE l.qty END,", "ELSE l.qty + CASE l.ord_id WHEN 7 THEN 9 ELSE 0 END END,")
    assert mapping != rig.mapping
    rig.mapping = mapping


def told(rig: Rig) -> float:
    name = "redo_connector_order_warnings_total"
    return rig.running.metrics.registry.get_sample_value(name, {"kind": RULE}) or 0.0


async def swept(rig: Rig, cause: str) -> Any:
    """The settings' change was noticed, and every order was looked at."""

    async def done() -> bool:
        rig.check()
        return any(one.cause == cause for one in await rig.running.pipeline.ports.store.sweeps(9))

    await eventually(f"a sweep because of {cause}", done)
    await rig.quiet()


async def test_an_order_that_breaks_a_rule_is_pushed_mended_counted_and_shown_alike_everywhere(rig: Rig) -> None:
    break_the_rule(rig)
    await rig.start()
    await rig.quiet()
    lines = rig.stored()["7"]["lineItems"]
    assert all(line["returnableQuantity"] <= line["quantity"] for line in lines)
    assert told(rig) == 1
    assert dict((await rig.tally()).warnings) == {RULE: 1}
    settings = rig.settings()
    (shown,) = (await preview(settings, ["7"], 1)).orders
    assert shown["verdict"] == "unchanged"
    assert [one["rule"] for one in shown["warnings"]] == [RULE]
    assert (await story(settings, "7"))["projection"]["warnings"] == (f"{RULE}: {shown['warnings'][0]['message']}",)
    assert (await verify(settings, 100))["different"] == []
    problems = [problem for problem in (await check(settings)).problems if RULE in problem.what]
    assert [problem.warning for problem in problems] == [True]
    warned = tuple(await rig.running.pipeline.ports.store.warned(5))
    facts = replace(rig.facts(), tally=await rig.tally(), warned=warned)
    page = render.status(facts, render.Visitor(), None)
    assert f"<code>{RULE}</code>" in page
    assert 'href="/orders/7"' in page


async def test_a_rule_that_the_settings_turn_to_refuse_and_back_takes_its_orders_along(rig: Rig) -> None:
    break_the_rule(rig)
    rig.overrides = {"contract": {"rules": {RULE: "refuse"}}}
    await rig.start()
    await rig.quiet()
    assert "7" not in rig.stored()
    assert dict((await rig.tally()).dead_letters) == {"invalid": 1}
    await rig.stop()
    rig.overrides = {}
    await rig.start()
    await swept(rig, "contract settings changed")
    assert "7" in rig.stored()
    assert not (await rig.tally()).dead_letters
    assert told(rig) == 1
    await rig.stop()
    rig.overrides = {"contract": {"rules": {RULE: "refuse"}}}
    await rig.start()
    await swept(rig, "contract settings changed")
    assert dict((await rig.tally()).dead_letters) == {"invalid": 1}


async def test_turning_a_warning_off_and_on_changes_what_is_told_and_pushes_nothing(rig: Rig) -> None:
    break_the_rule(rig)
    await rig.start()
    await rig.quiet()
    before = rig.sandbox.state.pushes.total()
    await rig.stop()
    await rig.start()
    await rig.quiet()
    assert [one.cause for one in await rig.running.pipeline.ports.store.sweeps(9)] == ["first start"]
    await rig.stop()
    rig.overrides = {"contract": {"rules": {RULE: "off"}}}
    await rig.start()
    await swept(rig, "contract settings changed")
    assert dict((await rig.tally()).warnings) == {}
    await rig.stop()
    rig.overrides = {}
    await rig.start()
    await swept(rig, "contract settings changed")
    assert dict((await rig.tally()).warnings) == {RULE: 1}
    assert rig.sandbox.state.pushes.total() == before


async def test_a_warning_goes_with_what_it_warned_of(rig: Rig) -> None:
    right = rig.mapping
    break_the_rule(rig)
    await rig.start()
    await rig.quiet()
    await rig.stop()
    rig.mapping = right
    rig.execute("UPDATE oms.order_header SET tag_list = 'other' WHERE ord_id = 7")
    await rig.start()
    await swept(rig, "mapping changed")
    assert not (await rig.tally()).warnings
