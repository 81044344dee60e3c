"""The sandbox's misbehaviour over real HTTP: cut, wrong and slow answers, statuses, tokens that come and go."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from typing import Any

import httpx2 as httpx
import pytest

from connector.sandbox.state import State
from tests.support.redo_orders import until
from tests.support.sandbox_http import ORDER, PUSH, HandClock, an_order, push, serving, some_state, switch


@pytest.fixture
def state() -> State:
    return some_state()


@pytest.fixture
async def http(state: State) -> AsyncIterator[httpx.AsyncClient]:
    async with serving(state) as client:
        yield client


async def test_a_request_that_is_cut_before_applying_leaves_nothing(http: httpx.AsyncClient, state: State) -> None:
    await switch(http, cut_before=1)
    with pytest.raises((httpx.ReadError, httpx.RemoteProtocolError)):
        await push(http)
    assert (state.orders, state.answers) == ({}, {"POST cut": 1})
    assert (await push(http)).status_code == 200


async def test_a_request_that_is_swallowed_leaves_nothing_and_gets_silence(
    http: httpx.AsyncClient, state: State
) -> None:
    await switch(http, swallow=1)
    asking = asyncio.create_task(push(http))
    await until(lambda: bool(state.in_flight))
    asking.cancel()
    await asyncio.wait([asking])
    await switch(http, swallow=1, hang_seconds=0)
    with pytest.raises(httpx.TransportError):
        await push(http)
    assert state.orders == {}


async def raw(http: httpx.AsyncClient) -> tuple[bytes, Exception | None]:
    """All that the sandbox sends in answer to a push, and how the connection ended."""
    reader, writer = await asyncio.open_connection(http.base_url.host, http.base_url.port)
    body = an_order().body
    head = f"POST {PUSH} HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer s3cret\r\nContent-Length: {len(body)}\r\n\r\n"
    writer.write(head.encode() + body)
    received, error = b"", None
    try:
        while part := await reader.read(1000):
            received += part
    except ConnectionError as caught:
        error = caught
    writer.close()
    return received, error


@pytest.mark.parametrize("reset", [False, True])
async def test_an_answer_cut_in_the_middle_has_its_status_and_half_a_body(
    http: httpx.AsyncClient, state: State, reset: bool
) -> None:
    await switch(http, cut_mid=1, reset=reset)
    received, error = await raw(http)
    head, _, half = received.partition(b"\r\n\r\n")
    assert head.startswith(b"HTTP/1.1 200")
    length = int(head.lower().split(b"content-length: ")[1].split(b"\r\n")[0])
    assert len(half) == length // 2
    assert isinstance(error, ConnectionResetError) is reset
    assert list(state.orders) == ["1001"], "it was applied"
    assert state.answers == {"POST cut": 1}


@pytest.mark.parametrize("kind", ["cut", "cut_before"])
@pytest.mark.parametrize("reset", [False, True])
async def test_connections_are_closed_by_rst_on_command(http: httpx.AsyncClient, kind: str, reset: bool) -> None:
    await switch(http, **{kind: 1}, reset=reset)
    received, error = await raw(http)
    assert received == b""
    assert isinstance(error, ConnectionResetError) is reset


async def test_a_web_page_with_200_is_no_acceptance(http: httpx.AsyncClient, state: State) -> None:
    await switch(http, html=1)
    answer = await push(http)
    assert (answer.status_code, answer.headers["content-type"]) == (200, "text/html; charset=utf-8")
    assert answer.text.startswith("<!doctype html>")
    assert (state.orders, state.stats()["accepted"]) == ({}, 0)


async def test_a_wrong_body_comes_after_applying(http: httpx.AsyncClient, state: State) -> None:
    await switch(http, wrong_body=1)
    answer = await push(http)
    assert (answer.status_code, answer.content) == (200, b"")
    await switch(http, wrong_body=1, wrong_body_kind="other_id")
    answer = await push(http)
    assert (answer.status_code, answer.json()["orderId"]) == (200, "not-1001")
    assert list(state.orders) == ["1001"]
    assert state.answers == {"POST wrong_body": 2}


async def test_statuses_are_answered_in_order_and_nothing_is_applied(http: httpx.AsyncClient, state: State) -> None:
    await switch(http, answer=[502, 418, 503, 204, 500])
    answers = [await push(http) for _ in range(6)]
    assert [answer.status_code for answer in answers] == [502, 418, 503, 204, 500, 200]
    assert [answer.headers.get("retry-after") for answer in answers] == [None, None, "1", None, None, None]
    assert len(state.history("1001")) == 1
    assert state.switches.answer == []


async def test_a_5xx_may_have_been_applied(http: httpx.AsyncClient, state: State) -> None:
    await switch(http, answer=[502], answer_applies=True)
    assert (await push(http)).status_code == 502
    assert list(state.orders) == ["1001"]
    await switch(http, answer=[504], answer_applies=True)
    assert (await http.delete(ORDER)).status_code == 504
    assert state.orders == {}


async def test_the_token_is_refused_and_let_through_by_turns(http: httpx.AsyncClient) -> None:
    await switch(http, token_flips=[2, 1, 1, 2])
    assert [(await push(http)).status_code for _ in range(8)] == [401, 401, 200, 401, 200, 200, 200, 200]


async def test_accepted_secrets_change_while_it_runs(http: httpx.AsyncClient, state: State) -> None:
    await switch(http, accept=["new"])
    assert (await push(http)).status_code == 401
    renewed = await http.post(PUSH, content=an_order().body, headers={"Authorization": "Bearer new"})
    assert renewed.status_code == 200
    await switch(http, accept=["new", "s3cret"])
    assert (await push(http)).status_code == 200
    await switch(http, accept=[])
    assert (await push(http)).status_code == 200
    state.api_secret = "other"
    assert (await push(http)).status_code == 401


async def test_a_dripping_answer_takes_its_time_and_is_whole() -> None:
    clock = HandClock()
    state = some_state(clock=clock.time, sleep=clock.sleep)
    async with serving(state) as http:
        await switch(http, drip=1, drip_seconds=40)
        asking = asyncio.create_task(push(http))
        parts = 0
        while not asking.done():
            await until(lambda: bool(clock.sleepers) or asking.done())
            parts += bool(clock.sleepers)
            clock.advance(40 / 20)
        assert (await asking).json()["orderId"] == "1001"
        assert 10 < parts <= 20
        assert 20 < clock.now - 1000 <= 42


@pytest.mark.parametrize("method", ["GET", "DELETE"])
@pytest.mark.parametrize(
    ("switches", "applied"),
    [
        ({"cut_before": 1}, False),
        ({"swallow": 1, "hang_seconds": 0}, False),
        ({"cut": 1}, True),
        ({"hang": 1, "hang_seconds": 0}, True),
        ({"cut_mid": 1}, True),
    ],
    ids=lambda value: next(iter(value)) if isinstance(value, dict) else "",
)
async def test_reading_and_deleting_are_cut_alike(
    http: httpx.AsyncClient, state: State, method: str, switches: dict[str, Any], applied: bool
) -> None:
    await push(http)
    await switch(http, **switches)
    with pytest.raises(httpx.TransportError):
        await http.request(method, ORDER)
    assert state.answers[f"{method} cut"] == 1
    assert (state.orders == {}) is (method == "DELETE" and applied)


@pytest.mark.parametrize("method", ["GET", "DELETE"])
async def test_reading_and_deleting_get_wrong_answers_alike(http: httpx.AsyncClient, state: State, method: str) -> None:
    await push(http)
    await switch(http, html=1)
    assert (await http.request(method, ORDER)).text.startswith("<!doctype html>")
    await switch(http, answer=[502])
    assert (await http.request(method, ORDER)).status_code == 502
    assert list(state.orders) == ["1001"]
    await switch(http, wrong_body=1)
    assert (await http.request(method, ORDER)).content == b""


async def test_troubles_can_be_kept_to_some_methods(http: httpx.AsyncClient) -> None:
    await push(http)
    await switch(http, methods=["DELETE"], answer=[500], cut=1)
    assert (await push(http)).status_code == 200
    assert (await http.get(ORDER)).status_code == 200
    assert (await http.delete(ORDER)).status_code == 500
    with pytest.raises(httpx.TransportError):
        await http.delete(ORDER)


@pytest.mark.parametrize(
    "switches",
    [
        [],
        {"nonsense": 1},
        {"cut": "1"},
        {"cut": -1},
        {"forbidden": 1},
        {"answer": [99]},
        {"answer": ["500"]},
        {"answer": 500},
        {"token_flips": [-1]},
        {"token_flips": [True]},
        {"accept": [1]},
        {"methods": ["PUT"]},
        {"rate_limit_kind": "leaky"},
        {"retry_after_form": 1},
        {"wrong_body_kind": "none"},
    ],
    ids=str,
)
async def test_a_wrong_switch_is_refused_and_changes_nothing(
    http: httpx.AsyncClient, state: State, switches: Any
) -> None:
    before = state.switches.model_dump()
    body = {"outage": True, **switches} if isinstance(switches, dict) else switches
    assert (await http.post("/_sandbox/switches", json=body)).status_code == 400
    assert (await http.post("/_sandbox/switches", content=b"{")).status_code == 400
    assert state.switches.model_dump() == before


def test_a_switch_keeps_no_hold_of_the_list_it_was_given() -> None:
    flips, state = [1], some_state()
    assert state.switches.change({"token_flips": flips}) is None
    assert state.switches.flipped()
    assert flips == [1]
