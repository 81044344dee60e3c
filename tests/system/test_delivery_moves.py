"""A moved order: its id or its store changed in the OMS. What each place at Redo holds at the end, with the whole
connector: after clean moves, unanswered requests, late landings, a kill in between, and when ids change hands.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

import pytest
from cryptography.fernet import Fernet

from connector.sandbox.store import Store
from tests.support.fixtures.connector import Rig, eventually
from tests.support.processes.crashes import armed, killed

MAIN, SECOND = "sandbox-store", "second"
POLICIES = ("ignore", "cancel", "delete")


@pytest.fixture(params=POLICIES)
def moving(rig: Rig, request: pytest.FixtureRequest) -> Rig:
    """Two stores. The tags of an order say which id and store it has: `id:x1`, `store:second`. Gone ones aren't in the
    mapping."""
    rig.sandbox.state.stores[SECOND] = "second-secret"
    mapping = rig.mapping.replace(
        "o.ord_id::text AS id,",
        "CASE WHEN o.tag_list LIKE 'id:%' THEN substr(o.tag_list, 4) ELSE o.ord_id::text END AS id,\n"
        "    CASE WHEN o.tag_list LIKE 'store:%' THEN substr(o.tag_list, 7) END AS store_id,",
    )
    gone = "WHERE o.tag_list IS DISTINCT FROM 'gone'"
    rig.mapping = f"-- order_key: oms.order_header(ord_id)\n{mapping.rstrip()}\n{gone}\n"
    rig.overrides["mapping"] = {"missing": request.param}
    rig.overrides["redo"] = {"stores": {SECOND: {"api_secret": "second-secret"}}, "timeout": 0.3, "confirm_after": 1.2}
    rig.overrides["checkpoints"] = {"keep": "payload", "payload_keys": Fernet.generate_key().decode()}
    return rig


def policy(rig: Rig) -> str:
    return str(rig.overrides["mapping"]["missing"])


def tag(rig: Rig, tags: Mapping[int, str | None]) -> None:
    """In one transaction."""
    rows = [[str(key), value] for key, value in tags.items()]
    rig.execute(
        "UPDATE oms.order_header AS o SET tag_list = new.row ->> 1"
        " FROM jsonb_array_elements(%s::text::jsonb) AS new (row) WHERE (new.row ->> 0)::bigint = o.ord_id",
        json.dumps(rows),
    )


def store(rig: Rig, name: str = MAIN) -> Store:
    found = rig.sandbox.state.store(name)
    assert found is not None
    return found


def switch(rig: Rig, name: str, **switches: Any) -> None:
    assert rig.sandbox.state.change(name, {"methods": ["POST"], **switches}) is None


def tags_at(rig: Rig, name: str, order_id: str) -> Any:
    """Of a live order."""
    order = json.loads(store(rig, name).orders[order_id])
    assert order.get("cancelReason") != "other", "it was cancelled"
    return order["tags"]


def fate(rig: Rig, name: str, order_id: str) -> str:
    """What was done to the order at a place that it left, in the words of `mapping.missing`."""
    body = store(rig, name).orders.get(order_id)
    if body is None:
        return "delete"
    return "cancel" if json.loads(body).get("cancelReason") == "other" else "ignore"


async def sent(rig: Rig, name: str, order_id: str, times: int = 1) -> None:
    await eventually(f"{order_id} is on its way", lambda: store(rig, name).pushes[order_id] >= times)


def pushed_for(rig: Rig, name: str, order_id: str) -> float:
    """Seconds from the first push to the last one."""
    begun = [event.at for event in store(rig, name).log if (event.order_id, event.what) == (order_id, "begin")]
    return begun[-1] - begun[0]


async def filled(rig: Rig) -> None:
    await rig.start()
    await rig.quiet()


async def well(rig: Rig) -> None:
    """Everything was dealt with, and nothing was refused."""
    await rig.quiet()
    assert (await rig.tally()).dead_letters == {}


async def test_a_moved_order_is_at_its_new_place_and_the_old_one_goes_by_the_policy(moving: Rig) -> None:
    """Ids are swapped, renumbered, and taken over from orders that went; a store changes; then all goes back."""
    rig = moving
    rig.overrides["guard"] = {"removal_wait": 1.0}
    await filled(rig)
    swapped = {1: "id:2", 2: "id:1"}
    renumbered = {3: "id:4", 4: "id:5", 5: "id:6", 6: "id:7", 7: "id:x7"}
    taken_over = {8: "gone", 9: "id:8"}
    tag(rig, {**swapped, **renumbered, **taken_over, 10: "store:second"})
    await well(rig)
    for key, tags in {**swapped, **renumbered, 9: "id:8"}.items():
        assert tags_at(rig, MAIN, tags.removeprefix("id:")) == [tags], key
    assert tags_at(rig, SECOND, "10") == ["store:second"]
    assert [fate(rig, MAIN, name) for name in ("3", "9", "10")] == [policy(rig)] * 3
    tag(rig, dict.fromkeys(range(1, 11), "back"))
    await well(rig)
    assert [tags_at(rig, MAIN, str(key)) for key in range(1, 11)] == [["back"]] * 10
    assert (fate(rig, MAIN, "x7"), fate(rig, SECOND, "10")) == (policy(rig),) * 2


async def test_moves_end_well_when_their_requests_are_not_answered(moving: Rig) -> None:
    """The first pushes to the new places time out; meanwhile two orders move back, and pushes to the old places of two
    others land late."""
    rig = moving
    await filled(rig)
    switch(rig, MAIN, late=2, late_seconds=1.0)
    tag(rig, {7: "older", 8: "older"})
    await sent(rig, MAIN, "7", 2)
    await sent(rig, MAIN, "8", 2)
    switch(rig, MAIN, hang=3)
    switch(rig, SECOND, hang=3)
    tag(rig, {3: "id:x3", 4: "store:second", 5: "id:x5", 6: "store:second", 7: "id:x7", 8: "store:second"})
    await sent(rig, MAIN, "x5")
    await sent(rig, SECOND, "6")
    tag(rig, {5: "back", 6: "back"})
    await well(rig)
    assert {event.order_id for event in store(rig).log if event.what == "landed"} >= {"7", "8"}
    assert [tags_at(rig, MAIN, name) for name in ("x3", "5", "6", "x7")] == [["id:x3"], ["back"], ["back"], ["id:x7"]]
    assert [tags_at(rig, SECOND, name) for name in "48"] == [["store:second"]] * 2
    assert [fate(rig, MAIN, name) for name in ("3", "4", "x5", "7", "8")] == [policy(rig)] * 5
    assert fate(rig, SECOND, "6") == policy(rig)
    assert min(pushed_for(rig, MAIN, "x3"), pushed_for(rig, SECOND, "4")) > 1.2, "again once nothing can land late"


@pytest.mark.parametrize(
    ("moving", "point"),
    [("ignore", "deliver.after_push"), ("cancel", "deliver.after_push"), ("delete", "settle.after")],
    indirect=["moving"],
)
async def test_a_move_is_finished_after_a_kill(moving: Rig, point: str) -> None:
    rig = moving
    rig.overrides["redo"]["confirm_after"] = 0.3
    await filled(rig)
    await rig.stop()
    tag(rig, {7: "id:x7", 8: "store:second"})
    await killed(rig, armed(rig, point))
    await rig.start()
    await well(rig)
    assert (tags_at(rig, MAIN, "x7"), tags_at(rig, SECOND, "8")) == (["id:x7"], ["store:second"])
    assert [fate(rig, MAIN, name) for name in "78"] == [policy(rig)] * 2
