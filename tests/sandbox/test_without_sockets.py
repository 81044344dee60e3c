"""The sandbox without sockets answers as it does with them and the real client; and it runs in virtual time."""

from __future__ import annotations

import asyncio
from dataclasses import astuple, replace
from typing import Any

import pytest

from connector.model.orders import Outcome, OutcomeKind, Place
from connector.pipeline.ports.protocols import Redo
from connector.redo.addresses import orders_url
from connector.redo.client import HttpSettings, RedoClient
from connector.sandbox.server import SandboxServer
from connector.sandbox.state import State
from tests.support.direct_redo import DirectRedo
from tests.support.sandbox_http import an_order, some_state
from tests.support.virtual_time import VirtualTimeLoop, simulate

PLACE = Place("store-1", "1001")


LONG = {3600.0}
"""Seconds for which no client waits."""
TROUBLES: list[dict[str, Any]] = [
    {},
    {"outage": True},
    {"outage": True, "retry_after_form": "none"},
    {"throttle": 1, "retry_after": 7},
    {"rate_limit": 1, "rate_limit_seconds": 7200, "rate_limit_kind": "sliding"},
    {"error_rate": 1.0},
    {"unauthorized": True},
    {"token_flips": [1]},
    {"accept": ["other"]},
    {"forbidden": True},
    {"answer": [502, 418]},
    {"answer": [204, 302]},
    {"answer": [408, 422]},
    {"answer": [413, 404]},
    {"answer": [504], "answer_applies": True},
    {"cut_before": 1},
    {"cut": 1},
    {"cut": 1, "reset": True},
    {"cut_mid": 1},
    {"cut_mid": 1, "reset": True},
    {"html": 1},
    {"wrong_body": 1},
    {"wrong_body": 1, "wrong_body_kind": "other_id"},
    {"swallow": 1, "hang_seconds": 3600.0},
    {"hang": 1, "hang_seconds": 3600.0},
    {"late": 1, "late_seconds": 3600.0},
    {"late": 1, "late_seconds": 0.01},
    {"drip": 1, "drip_seconds": 0.02},
    {"drip": 1, "drip_seconds": 3600.0},
    {"reject": ["1001"]},
    *({"fail": ["1001"], "fail_how": how} for how in ("500", "503", "409", "403", "cut")),
    {"fail": ["1001"], "fail_how": "hang", "hang_seconds": 3600.0},
    {"fail": ["1002"]},
]


def prepared(switches: dict[str, Any], method: str) -> State:
    state = some_state()
    if method == "DELETE":
        with state.in_flight_request("1001") as flight:
            state.land(flight, an_order().body)
    assert state.switches.change(switches) is None
    return state


async def asked(clients: list[Redo], method: str) -> list[Outcome]:
    """The outcomes of the same request by one client after the other."""
    order = replace(an_order(), store_id="store-1")
    return [await (redo.delete(PLACE) if method == "DELETE" else redo.push(order)) for redo in clients]


@pytest.mark.parametrize("method", ["POST", "DELETE"])
@pytest.mark.parametrize("switches", TROUBLES, ids=str)
async def test_every_trouble_has_the_outcome_that_the_real_client_gives(switches: dict[str, Any], method: str) -> None:
    real_state, direct_state = prepared(switches, method), prepared(switches, method)
    long = LONG & {each for each in switches.values() if isinstance(each, float)}
    # Only some of these last beyond the first request.
    timeouts = (0.3 if long else 30.0, 0.3 if long and "fail" in switches else 30.0)
    async with SandboxServer(real_state) as server:
        stores = {"store-1": (orders_url(server.base_url, "store-1"), "s3cret")}
        real = [RedoClient(stores, HttpSettings(timeout=timeout)) for timeout in timeouts]
        wanted = await asked([*real], method)
        for client in real:
            await client.aclose()
    direct = [DirectRedo(direct_state, timeout) for timeout in timeouts]
    found = await asked([*direct], method)
    direct_state.closed.set()
    for each in direct:
        await each.landed()
    assert [plain(outcome) for outcome in found] == [plain(outcome) for outcome in wanted]
    assert direct_state.orders == real_state.orders
    assert direct_state.answers == real_state.answers


def plain(outcome: Outcome) -> tuple[Any, ...]:
    """Without the words, which name the client's own errors when there was no answer."""
    message = outcome.message if outcome.status is not None else ""
    return (outcome.kind, outcome.status, outcome.reason, message, *astuple(outcome)[4:])


async def test_stores_are_served_as_there_are_secrets() -> None:
    state = some_state(stores={"b": "sb"})
    direct = DirectRedo(state)
    assert [direct.serves(store) for store in ("store-1", "b", "c")] == [True, True, False]
    assert (await direct.delete(Place("c", "1"))).reason == "no_store"
    assert (await direct.delete(Place("b", "1"))).reason == "absent"
    wrong = DirectRedo(state, secrets={"b": "s3cret"})
    assert (await wrong.delete(Place("b", "1"))).status == 403


async def test_an_unreachable_redo_surely_took_nothing() -> None:
    direct = DirectRedo(some_state())
    direct.reachable = False
    outcome = await direct.push(an_order())
    assert (outcome.kind, outcome.reason) == (OutcomeKind.UNAVAILABLE, "connect")
    assert direct.state.orders == {}


def test_hours_pass_at_once_and_an_older_state_lands_on_a_newer_one() -> None:
    async def main(loop: VirtualTimeLoop) -> None:
        direct = DirectRedo(state)
        state.switches.change({"late": 1, "late_seconds": 7200.0})
        old = await direct.push(an_order(tags=["old"]))
        assert (old.kind, old.reason, loop.time()) == (OutcomeKind.UNKNOWN, "timeout", 30.0)
        assert (await direct.push(an_order(tags=["new"]))).kind is OutcomeKind.ACCEPTED
        await direct.landed()
        assert loop.time() == 7200.0

    state = some_state()
    simulate(main)
    assert (state.overlaps, state.stale_landings) == (0, 1)
    assert [(landing.at, landing.stale) for landing in state.history("1001")] == [(30.0, False), (7200.0, True)]
    assert b'"old"' in state.orders["1001"]


def test_a_cancelled_push_is_carried_out_all_the_same() -> None:
    async def main(loop: VirtualTimeLoop) -> None:
        direct = DirectRedo(state)
        state.switches.latency_ms = 5000.0
        push = asyncio.create_task(direct.push(an_order()))
        await asyncio.sleep(1)
        push.cancel()
        await asyncio.wait([push])
        state.switches.latency_ms = 0.0
        await direct.push(an_order(tags=["new"]))
        assert state.overlaps == 0
        await direct.landed()
        assert loop.time() == 5.0

    state = some_state()
    simulate(main)
    assert state.stale_landings == 1


def test_an_hour_of_script_passes_in_virtual_time() -> None:
    async def main(loop: VirtualTimeLoop) -> list[int | None]:
        direct = DirectRedo(state)
        await direct.push(an_order())
        state.play([{"at": 60, "set": {"outage": True}}, {"at": 3660, "set": {"outage": False, "rate_limit": 1}}])
        found = []
        for seconds in (59, 1, 3599, 1, 0, 1):
            await asyncio.sleep(seconds)
            found.append((await direct.push(an_order())).status)
        return found

    state = some_state()
    assert simulate(main) == [200, 503, 503, 200, 429, 200]


async def test_closing_lets_go_of_whoever_hangs() -> None:
    direct = DirectRedo(some_state())
    direct.state.switches.change({"hang": 1})
    hanging = asyncio.create_task(direct.push(an_order()))
    await asyncio.sleep(0)
    await direct.close()
    assert (await hanging).reason == "cut"
