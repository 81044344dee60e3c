"""Switches of the sandbox that change by a script, by the sandbox's own clock."""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import Any

import httpx2 as httpx
import pytest

from connector.sandbox.state import State
from tests.support.sandbox_http import ORDER, HandClock, push, serving, some_state, switch


@pytest.fixture
def clock() -> HandClock:
    return HandClock()


@pytest.fixture
def state(clock: HandClock) -> State:
    return some_state(stores={"b": "sb"}, clock=clock.time, sleep=clock.sleep)


@pytest.fixture
async def http(state: State) -> AsyncIterator[httpx.AsyncClient]:
    async with serving(state) as client:
        yield client


async def statuses(http: httpx.AsyncClient, count: int) -> list[int]:
    return [(await push(http)).status_code for _ in range(count)]


async def script(http: httpx.AsyncClient, *steps: dict[str, Any]) -> dict[str, Any]:
    answer = await http.post("/_sandbox/script", json=list(steps))
    answer.raise_for_status()
    left: dict[str, Any] = answer.json()
    return left


async def test_down_for_an_hour_and_then_throttled(http: httpx.AsyncClient, clock: HandClock) -> None:
    await script(
        http,
        {"at": 10, "set": {"outage": True}},
        {"at": 3610, "set": {"outage": False, "rate_limit": 2}},
        {"at": 3700, "set": {"rate_limit": None}},
    )
    assert await statuses(http, 1) == [200]
    clock.advance(10)
    assert await statuses(http, 2) == [503, 503]
    clock.advance(3599)
    assert await statuses(http, 1) == [503]
    clock.advance(1)
    assert await statuses(http, 3) == [200, 200, 429]
    clock.advance(90)
    assert await statuses(http, 3) == [200, 200, 200]


async def test_a_step_may_wait_for_a_number_of_requests(http: httpx.AsyncClient) -> None:
    await statuses(http, 2)
    await script(
        http,
        {"after_requests": 2, "set": {"unauthorized": True}},
        {"after_requests": 3, "set": {"unauthorized": False}},
    )
    assert await statuses(http, 5) == [200, 200, 401, 200, 200]


async def test_steps_are_carried_out_in_their_order(http: httpx.AsyncClient, clock: HandClock) -> None:
    await script(http, {"after_requests": 3, "set": {"outage": True}}, {"at": 5, "set": {"outage": False}})
    clock.advance(100)
    assert await statuses(http, 4) == [200, 200, 200, 200], "the first step's turn comes, and the second is due by then"
    assert (await http.get("/_sandbox/script")).json()["steps"] == []


async def test_what_is_left_can_be_seen_and_cleared(http: httpx.AsyncClient, clock: HandClock, state: State) -> None:
    first, second = {"at": 1, "set": {"cut": 2}}, {"at": 50.0, "set": {"outage": True}, "store": "b"}
    assert (await script(http, first, second))["steps"] == [first, second]
    clock.advance(2)
    assert (await http.get(ORDER)).status_code == 404
    left = (await http.get("/_sandbox/script")).json()
    assert left == {"seconds": 2.0, "requests": 1, "steps": [second]}
    assert state.switches.cut == 2
    assert (await http.delete("/_sandbox/script")).json()["steps"] == []
    clock.advance(100)
    assert (await http.get("/_sandbox/stores/b/switches")).json()["outage"] is False


async def test_switches_show_what_the_script_did_though_no_request_came(
    http: httpx.AsyncClient, clock: HandClock
) -> None:
    await script(http, {"at": 0, "set": {"late": 1}}, {"at": 5, "set": {"outage": True}, "store": "*"})
    assert (await http.get("/_sandbox/switches")).json()["late"] == 1
    clock.advance(5)
    assert (await http.get("/_sandbox/switches")).json()["outage"] is True
    assert (await http.get("/_sandbox/stores/b/switches")).json()["outage"] is True


async def test_a_new_script_takes_the_old_ones_place(http: httpx.AsyncClient, clock: HandClock) -> None:
    await script(http, {"at": 5, "set": {"outage": True}})
    clock.advance(4)
    await script(http, {"at": 3, "set": {"forbidden": True}})
    clock.advance(2)
    assert await statuses(http, 1) == [200]
    clock.advance(1)
    assert await statuses(http, 1) == [403]


async def test_a_scripts_lists_serve_once_each(http: httpx.AsyncClient, clock: HandClock) -> None:
    steps = [{"at": seconds, "set": {"answer": [500, 502]}} for seconds in (0, 10)]
    await script(http, *steps)
    assert await statuses(http, 3) == [500, 502, 200]
    clock.advance(10)
    assert await statuses(http, 3) == [500, 502, 200]


@pytest.mark.parametrize(
    "steps",
    [
        {"at": 1, "set": {}},
        [1],
        [{"at": 1}],
        [{"set": {"cut": 1}}],
        [{"at": 1, "after_requests": 1, "set": {}}],
        [{"at": -1, "set": {}}],
        [{"at": "1", "set": {}}],
        [{"after_requests": 1.5, "set": {}}],
        [{"at": True, "set": {}}],
        [{"at": 1, "set": {"nonsense": 1}}],
        [{"at": 1, "set": {"cut": "1"}}],
        [{"at": 1, "set": []}],
        [{"at": 1, "set": {}, "store": "c"}],
        [{"at": 1, "set": {}, "when": 1}],
    ],
    ids=str,
)
async def test_a_wrong_script_is_refused_whole(http: httpx.AsyncClient, state: State, steps: Any) -> None:
    good = {"at": 100, "set": {"cut": 1}}
    await script(http, good)
    wrong = [good, *steps] if isinstance(steps, list) else steps
    assert (await http.post("/_sandbox/script", json=wrong)).status_code == 400
    assert len(state.script.steps) == 1


async def test_reset_leaves_script_and_switches(http: httpx.AsyncClient, state: State) -> None:
    await switch(http, cut=1)
    await script(http, {"at": 100, "set": {"cut": 2}})
    await http.post("/_sandbox/reset")
    assert (state.switches.cut, len(state.script.steps)) == (1, 1)
