"""Orders that Redo always fails, with the whole connector: others flow, it stays ready, and says what is wrong."""

from __future__ import annotations

import json
import os
from typing import Any

import pytest

from connector.daemon.health.watchdog import Watchdog
from connector.pipeline.deliver import failing_orders
from connector.status.verdict import explained, ready
from tests.support.fixtures.connector import Rig, eventually
from tests.support.narrowing import narrowed
from tests.support.processes import forked

BAD = ["1", "2", "3"]


@pytest.fixture(autouse=True)
def _said_soon(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(failing_orders, "ATTEMPTS", 3)
    monkeypatch.setattr(failing_orders, "SPREAD", 0.5)


def tags(rig: Rig, key: str) -> Any:
    return json.loads(rig.sandbox.state.orders[key])["tags"]


def change(rig: Rig, keys: list[str], tag: str) -> None:
    rig.execute("UPDATE oms.order_header SET tag_list = %s WHERE ord_id = ANY(%s)", tag, [int(key) for key in keys])


async def arrives(rig: Rig, keys: list[str], tag: str) -> None:
    change(rig, keys, tag)
    await eventually(f"{tag} is at Redo", lambda: all(tags(rig, key) == [tag] for key in keys))


async def printed(rig: Rig, *arguments: str) -> str:
    environment = {name: value for name, value in os.environ.items() if name != "COLUMNS"}
    arguments = (*arguments, "--config", str(rig.write_config()))
    ran = await forked.finish("connector", *arguments, folder=rig.folder, environment=environment)
    return ran.stdout + ran.stderr


@pytest.mark.parametrize("how", narrowed(["500", "403", "409", "cut"], "403", "cut"))
async def test_orders_that_always_fail_delay_no_other_are_named_and_set_aside(rig: Rig, how: str) -> None:
    rig.watchdog = Watchdog(60.0, None)
    await rig.start()
    await rig.quiet()
    switches = rig.sandbox.state.switches
    assert switches.change({"fail": BAD, "fail_how": how}) is None
    change(rig, BAD, "fails")

    def told() -> bool:
        return rig.facts().failing_orders == 3

    for number in range(30):
        await arrives(rig, ["10", "11"], f"v{number}")
        if told():
            break
    await eventually("they are said to fail again and again", told)
    await arrives(rig, ["12"], "flows")
    facts = rig.facts()
    assert ready(facts)[0], facts
    assert "3 orders fail at Redo again and again" in explained(facts)
    assert facts.paused_reason is None
    await eventually("they aren't the oldest that waits", lambda: rig.facts().oldest_age == 0.0)
    letters = await printed(rig, "dead-letters", "list")
    assert "failing, 3 orders" in letters
    assert "dead-letters set-aside" in letters
    assert "Redo fails it again and again" in await printed(rig, "explain-order", "1")

    assert "1 order is set aside" in await printed(rig, "dead-letters", "set-aside", "1")
    switches.fail = []
    await printed(rig, "dead-letters", "redrive", "1")
    await eventually("all are at Redo", lambda: all(tags(rig, key) == ["fails"] for key in BAD))
    await rig.quiet()
    assert (await rig.verdict()).clean
    await eventually("no letter is left", lambda: rig.facts().tally.dead_letters == {})
    await rig.stop()
