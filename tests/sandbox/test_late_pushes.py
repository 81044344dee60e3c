"""Late application at the sandbox, overlaps, stale landings and each order's history, over real HTTP."""

from __future__ import annotations

import asyncio
import hashlib
from collections.abc import AsyncIterator
from dataclasses import dataclass

import httpx2 as httpx
import pytest

from connector.sandbox.state import State
from tests.support.redo_orders import until
from tests.support.sandbox_http import ORDER, HandClock, an_order, push, serving, some_state, switch


@dataclass
class Late:
    clock: HandClock
    state: State
    http: httpx.AsyncClient

    async def give_up(self, method: str = "POST", **changes: object) -> None:
        """A request that is late by 60 s, and whose client doesn't wait."""
        await switch(self.http, late=1, late_seconds=60)
        asks = push(self.http, **changes) if method == "POST" else self.http.request(method, ORDER)
        asking = asyncio.create_task(asks)
        sleepers = len(self.clock.sleepers)
        await until(lambda: len(self.clock.sleepers) > sleepers)
        asking.cancel()
        await asyncio.wait([asking])

    def landed(self) -> bool:
        return any(event.what.endswith("landed") for event in self.state.log)

    async def land(self) -> None:
        self.clock.advance(60)
        await until(self.landed)

    def tags(self) -> str:
        return self.state.orders["1001"].decode().split('"tags":[')[1].split("]")[0]


@pytest.fixture
async def late() -> AsyncIterator[Late]:
    clock = HandClock()
    state = some_state(clock=clock.time, sleep=clock.sleep)
    async with serving(state) as http:
        yield Late(clock, state, http)


async def test_an_older_state_lands_on_a_newer_one_after_its_client_gave_up(late: Late) -> None:
    await late.give_up(tags=["old"])
    assert late.state.orders == {}
    await push(late.http, tags=["new"])
    assert late.tags() == '"new"'
    await late.land()
    assert late.tags() == '"old"'
    assert late.state.stats()["stale_landings"] == 1
    assert [(landing.at, landing.what, landing.stale) for landing in late.state.history("1001")] == [
        (1000.0, "accepted", False),
        (1060.0, "accepted", True),
    ]
    await push(late.http, tags=["newest"])
    assert late.state.stale_landings == 1


async def test_a_push_after_a_client_gave_up_is_no_overlap(late: Late) -> None:
    await late.give_up(tags=["old"])
    await push(late.http, tags=["new"])
    await late.land()
    assert (late.state.overlaps, late.state.most_per_order, late.state.most_in_flight) == (0, 1, 1)
    assert [event.what for event in late.state.log] == ["begin", "end", "begin", "end", "landed"]
    await until(lambda: not late.state.in_flight)


async def test_a_push_while_a_client_still_waits_is_an_overlap(late: Late) -> None:
    await switch(late.http, late=1, late_seconds=60)
    waiting = asyncio.create_task(push(late.http, tags=["old"]))
    await until(lambda: bool(late.clock.sleepers))
    await push(late.http, tags=["new"])
    assert late.state.overlaps == 1
    late.clock.advance(60)
    assert (await waiting).status_code == 200
    assert (late.state.stale_landings, late.tags()) == (1, '"old"')


async def test_latency_is_time_in_flight(late: Late) -> None:
    await switch(late.http, latency_ms=50)
    both = [asyncio.create_task(push(late.http)) for _ in range(2)]
    await until(lambda: len(late.clock.sleepers) == 2)
    late.clock.advance(0.05)
    assert [(await each).status_code for each in both] == [200, 200]
    assert (late.state.overlaps, late.state.most_in_flight) == (1, 2)


async def test_a_late_push_that_changes_nothing_is_not_stale(late: Late) -> None:
    await late.give_up(tags=["same"])
    await push(late.http, tags=["same"])
    await late.land()
    assert late.state.stale_landings == 0


async def test_a_late_push_brings_a_deleted_order_back(late: Late) -> None:
    await push(late.http)
    await late.give_up(tags=["old"])
    assert (await late.http.delete(ORDER)).status_code == 200
    await late.land()
    assert (late.tags(), late.state.stale_landings) == ('"old"', 1)
    assert [landing.what for landing in late.state.history("1001")] == ["accepted", "deleted", "accepted"]


async def test_a_late_delete_takes_a_newer_order_away(late: Late) -> None:
    await push(late.http)
    await late.give_up("DELETE")
    await push(late.http, tags=["new"])
    await late.land()
    assert (late.state.orders, late.state.stale_landings) == ({}, 1)
    assert [(landing.what, landing.stale) for landing in late.state.history("1001")] == [
        ("accepted", False),
        ("accepted", False),
        ("deleted", True),
    ]
    assert [event.what for event in late.state.log][-1] == "delete-landed"


async def test_a_delete_beside_a_push_of_the_same_order_is_an_overlap(late: Late) -> None:
    await push(late.http)
    await switch(late.http, late=1, late_seconds=60)
    waiting = asyncio.create_task(push(late.http))
    await until(lambda: bool(late.clock.sleepers))
    await late.http.delete(ORDER)
    assert late.state.overlaps == 1
    late.clock.advance(60)
    await waiting


async def test_a_late_answer_to_a_reading_shows_what_is_true_then(late: Late) -> None:
    await push(late.http, tags=["old"])
    await switch(late.http, late=1, late_seconds=60)
    reading = asyncio.create_task(late.http.get(ORDER))
    await until(lambda: bool(late.clock.sleepers))
    await push(late.http, tags=["new"])
    late.clock.advance(60)
    assert (await reading).json()["tags"] == ["new"]


async def test_history_has_digests_and_times_and_is_bounded(late: Late) -> None:
    body = an_order().body
    for _ in range(130):
        await push(late.http)
        late.clock.advance(1)
    history = (await late.http.get("/_sandbox/history/1001")).json()
    assert len(history) == 100
    assert history[-1] == {
        "at": 1129.0,
        "what": "accepted",
        "digest": hashlib.sha256(body).hexdigest(),
        "stale": False,
    }
    assert (await late.http.get("/_sandbox/history/none")).json() == []


async def test_wasted_requests_are_counted(late: Late) -> None:
    await push(late.http, tags=["a"])
    await push(late.http, tags=["a"])
    await push(late.http, tags=["b"])
    await push(late.http, tags=["a"])
    await switch(late.http, throttle=2)
    await push(late.http, tags=["a"])
    await late.http.delete(ORDER)
    stats = (await late.http.get("/_sandbox/stats")).json()
    assert (stats["repeats"], stats["throttled"]) == (1, 2)
    await late.http.post("/_sandbox/reset")
    assert (late.state.repeats, late.state.history("1001"), late.state.stats()["throttled"]) == (0, (), 0)
