"""Requests that weren't answered: what Redo may hold, or may come to hold later, is overwritten without a person; where
it wasn't, reading back finds it.
"""

from __future__ import annotations

import json
from typing import Any

from tests.fix_connector import Rig, eventually

KEY = "3"


def tag(rig: Rig, tags: str | None) -> None:
    rig.execute(f"UPDATE oms.order_header SET tag_list = %s WHERE ord_id = {KEY}", tags)


def tags(rig: Rig) -> Any:
    return json.loads(rig.sandbox.state.orders[KEY])["tags"]


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
