"""Requests that weren't answered: what Redo may hold, or may come to hold later, is overwritten without a person; where
it wasn't, reading back finds it.
"""

from __future__ import annotations

import asyncio
import json
import os
from pathlib import Path
from typing import Any

from tests.support.fixtures.connector import Rig, eventually
from tests.support.processes import forked

KEY = "3"


def tag(rig: Rig, tags: str | None) -> None:
    rig.execute(f"UPDATE oms.order_header SET tag_list = %s WHERE ord_id = {KEY}", tags)


def tags(rig: Rig) -> Any:
    return json.loads(rig.sandbox.state.orders[KEY])["tags"]


class Landing:
    """Lets a push of an older state go on at Redo when it is told to, after its client gave up."""

    def __init__(self, rig: Rig) -> None:
        self._rig = rig
        self._go = asyncio.Event()

    async def _wait(self, _: float) -> None:
        await self._go.wait()

    async def given_up(self) -> None:
        """The older push is under way, the newer one was accepted."""
        state = self._rig.sandbox.state
        state.sleep = self._wait
        self._rig.switch(late=1)
        before = state.pushes[KEY]
        tag(self._rig, "older")
        await eventually("the older one is under way", lambda: state.pushes[KEY] > before)
        tag(self._rig, "newer")
        await eventually("the newer one is accepted", lambda: tags(self._rig) == ["newer"])

    async def land(self) -> None:
        self._go.set()
        await eventually("the older one lands", lambda: self._rig.sandbox.state.stale_landings == 1)


async def test_an_older_state_that_lands_late_is_overwritten_by_the_confirming_push(rig: Rig) -> None:
    rig.overrides["redo"] = {"timeout": 0.3, "confirm_after": 2.5}
    await rig.start()
    await rig.quiet()
    landing = Landing(rig)
    await landing.given_up()
    await landing.land()
    assert tags(rig) == ["older"]
    await rig.quiet()
    assert tags(rig) == ["newer"]
    assert (await rig.verdict()).clean


async def command(rig: Rig, config: Path, *arguments: str) -> tuple[int, str]:
    """Exit code and output."""
    environment = {name: value for name, value in os.environ.items() if name != "COLUMNS"}
    arguments = (*arguments, "--config", str(config))
    ran = await forked.finish("connector", *arguments, folder=rig.folder, environment=environment)
    return ran.returncode, ran.stdout + ran.stderr


async def test_one_that_lands_later_than_confirm_after_is_found_by_reading_back_and_pushed_again(rig: Rig) -> None:
    rig.overrides["redo"] = {"timeout": 0.3, "confirm_after": 0.05}
    await rig.start()
    await rig.quiet()
    landing = Landing(rig)
    await landing.given_up()
    await rig.quiet()
    await landing.land()
    code, found = await command(rig, rig.write_config(), "reconcile", "--verify-redo", "100")
    assert code == 1
    assert f"order {KEY}: Redo has other values in tags\n" in found
    assert "40 orders read back from Redo: 39 as they should be, 1 not.\n1 order is on the way to Redo\n" in found
    assert "older" not in found
    assert "newer" not in found
    await rig.quiet()
    assert tags(rig) == ["newer"]
    assert (await rig.verdict()).clean


async def test_a_state_that_was_not_answered_does_not_stay_when_the_next_one_is_refused_and_taken_back(
    rig: Rig,
) -> None:
    rig.overrides["redo"] = {"timeout": 0.3, "confirm_after": 0.3}
    tag(rig, "first")
    await rig.start()
    await rig.quiet()
    rig.switch(hang=1)
    tag(rig, "second")
    await eventually("it is at Redo, but nobody knows", lambda: tags(rig) == ["second"])
    rig.switch(reject=[KEY])
    await rig.quiet()
    assert (await rig.tally()).dead_letters == {"rejected": 1}
    rig.switch(reject=[])
    tag(rig, "first")
    await rig.quiet()
    assert tags(rig) == ["first"]
    assert (await rig.tally()).dead_letters == {}
