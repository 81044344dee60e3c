"""Who may act on the page, and who not: over real HTTP, with a desk that writes down what it is asked for."""

from __future__ import annotations

import asyncio
import re
from collections.abc import AsyncIterator, Mapping
from contextlib import AsyncExitStack
from dataclasses import dataclass, field, replace
from typing import Any

import httpx2 as httpx
import pytest

from connector.model.errors import CheckpointsUnwritable
from connector.pipeline.ports.holds import Hold, HoldKind, HoldState
from connector.pipeline.ports.records import LetterGroup, Tally
from connector.status.facts import Facts, State
from connector.status.metrics import Metrics
from connector.status.page import render
from connector.status.ports import RequestStatus, SiteContext
from connector.status.server.event_streams import MOST
from connector.status.server.responses import is_known_host
from connector.status.server.sessions import LASTS, Sessions
from connector.status.server.site import create_app
from connector.status.server.web_server import WebServer

TOKEN = "open-sesame-0123456789"
WELL = Facts(
    now=1_000.0,
    state=State.HELD,
    started_at=900.0,
    version="1.2.3",
    tally=Tally(0, 0, None, 10, 0, {"rejected": 2}),
    holds=(Hold(3, HoldKind.CHANGES, "mapping changed", HoldState.HELD, 950.0, 25),),
    dead_letter_groups=(LetterGroup("5e19ab02", "rejected", "tags: too many", 2, 3, 950.0, 960.0, ("7", "8")),),  # type: ignore[arg-type]
)


@dataclass
class WrittenDown:
    asked: list[tuple[str, dict[str, Any]]] = field(default_factory=list)
    full: bool = False

    async def ask(self, verb: str, arguments: Mapping[str, Any]) -> int:
        if self.full:
            raise CheckpointsUnwritable("the disk is full")
        self.asked.append((verb, dict(arguments)))
        return len(self.asked)

    async def get(self, number: int) -> RequestStatus | None:
        if number > len(self.asked):
            return None
        return RequestStatus(number, self.asked[number - 1][0], "done", "2 orders are on the way to Redo")


@pytest.fixture
def desk() -> WrittenDown:
    return WrittenDown()


@pytest.fixture
async def context(desk: WrittenDown) -> SiteContext:
    return SiteContext(TOKEN, ("connector.shop.example",), requests=desk)


@pytest.fixture
async def client(context: SiteContext) -> AsyncIterator[httpx.AsyncClient]:
    server = WebServer(create_app(Metrics("1.2.3"), lambda: WELL, context), "127.0.0.1", 0, context.closing)
    await server.start()
    async with httpx.AsyncClient(base_url=f"http://127.0.0.1:{server.port}", trust_env=False) as client:
        yield client
    await server.stop()


async def seal(client: httpx.AsyncClient) -> str:
    answer = await client.post("/sign-in", data={"token": TOKEN, "then": "/"})
    assert (answer.status_code, answer.headers["location"]) == (303, "/")
    found = re.search(r'name="seal" value="([0-9a-f]{64})"', (await client.get("/")).text)
    assert found
    return found[1]


async def test_who_knows_the_token_may_act_and_sees_what_came_of_it(
    client: httpx.AsyncClient, desk: WrittenDown
) -> None:
    mine = await seal(client)
    forms: list[tuple[str, dict[str, str]]] = [
        ("redrive", {"group": "5e19ab02"}),
        ("redrive", {"key": '["7","a/b"]'}),
        ("approve", {"hold": "3", "limit": "20"}),
        ("approve", {"hold": "3"}),
        ("pause", {}),
        ("resume", {}),
        ("reconcile", {}),
    ]
    answers = [await client.post(f"/actions/{verb}", data={"seal": mine, **form}) for verb, form in forms]
    assert [answer.headers["location"] for answer in answers] == [
        "/?asked=1",
        "/orders/%5B%227%22%2C%22a%2Fb%22%5D?asked=2",
        *(f"/?asked={number}" for number in range(3, 8)),
    ]
    assert desk.asked == [
        ("redrive", {"group": "5e19ab02"}),
        ("redrive", {"keys": ['["7","a/b"]']}),
        ("approve", {"hold": 3, "limit": 20}),
        ("approve", {"hold": 3, "limit": None}),
        ("pause", {}),
        ("resume", {}),
        ("reconcile", {}),
    ]
    assert "Request 1 (redrive) is done: 2 orders are on the way" in (await client.get("/?asked=1")).text


async def test_the_sessions_cookie_is_for_this_page_alone(client: httpx.AsyncClient) -> None:
    answer = await client.post("/sign-in", data={"token": TOKEN})
    cookie = answer.headers["set-cookie"].casefold()
    assert "httponly" in cookie
    assert "samesite=strict" in cookie
    assert TOKEN not in cookie


@pytest.mark.parametrize("verb", ["redrive", "approve", "pause", "resume", "reconcile"])
async def test_without_signing_in_nothing_is_done_and_no_form_is_shown(
    client: httpx.AsyncClient, desk: WrittenDown, verb: str
) -> None:
    answer = await client.post(f"/actions/{verb}", data={"key": "7", "hold": "3", "seal": "0" * 64})
    assert answer.status_code == 403
    assert "Sign in with the token first" in answer.text
    assert desk.asked == []
    text = (await client.get("/")).text
    assert 'action="/actions' not in text
    assert "Sign in to act" in text


@pytest.mark.parametrize(
    ("reason", "buttons"),
    [
        (None, ["pause"]),
        ("http_429", ["resume", "pause"]),
        ("by_hand", ["resume"]),
    ],
)
def test_whatever_pauses_delivery_a_person_may_end_it(reason: str | None, buttons: list[str]) -> None:
    paused = replace(WELL, state=State.PAUSED, paused_reason=reason)
    shown = render.parts(paused, render.Visitor(acts=True, seal="0" * 64), None)
    assert re.findall(r'action="/actions/(pause|resume)"', shown["attention"] + shown["steer"]) == buttons


async def test_a_session_without_its_seal_or_from_another_site_does_nothing(
    client: httpx.AsyncClient, desk: WrittenDown
) -> None:
    mine = await seal(client)
    for form, headers in (
        ({}, {}),
        ({"seal": ""}, {}),
        ({"seal": mine[:-1] + ("0" if mine[-1] != "0" else "1")}, {}),
        ({"seal": mine}, {"sec-fetch-site": "cross-site"}),
        ({"seal": mine}, {"content-type": "text/plain"}),
    ):
        assert (await client.post("/actions/pause", data=form, headers=headers)).status_code == 403
    assert (await client.get("/actions/pause")).status_code == 405
    assert desk.asked == []


async def test_a_wrong_token_opens_nothing(client: httpx.AsyncClient) -> None:
    for wrong in ("", "open-sesame", TOKEN + "0", "é" * 20):
        answer = await client.post("/sign-in", data={"token": wrong})
        assert answer.status_code == 403
        assert "That is not the token." in answer.text
        assert "set-cookie" not in answer.headers


async def test_signing_out_ends_the_session(client: httpx.AsyncClient, desk: WrittenDown) -> None:
    mine = await seal(client)
    kept = client.cookies["redo_connector_session"]
    assert (await client.post("/sign-out", data={"seal": mine})).status_code == 303
    again = await client.post(
        "/actions/pause", data={"seal": mine}, headers={"cookie": f"redo_connector_session={kept}"}
    )
    assert again.status_code == 403
    assert desk.asked == []


async def test_signing_in_leads_to_no_other_site(client: httpx.AsyncClient) -> None:
    for elsewhere in ("//evil.example", "https://evil.example", "/\\evil.example", "/\r\nX: 1"):
        answer = await client.post("/sign-in", data={"token": TOKEN, "then": elsewhere})
        assert answer.headers["location"] == "/"


async def test_a_form_that_lacks_something_and_a_full_disk_are_told(
    client: httpx.AsyncClient, desk: WrittenDown
) -> None:
    mine = await seal(client)
    assert (await client.post("/actions/approve", data={"seal": mine, "hold": "x"})).status_code == 400
    assert (await client.post("/actions/delete", data={"seal": mine})).status_code == 404
    desk.full = True
    answer = await client.post("/actions/pause", data={"seal": mine})
    assert answer.status_code == 503
    assert "the disk is full" in answer.text


@pytest.mark.parametrize(
    "context",
    [SiteContext(), SiteContext(TOKEN), SiteContext(None, requests=WrittenDown())],
    ids=["", "no requests", "no token"],
)
async def test_without_a_token_or_an_inbox_there_are_no_actions(client: httpx.AsyncClient) -> None:
    text = (await client.get("/")).text
    assert "Sign in" not in text
    assert 'method="post"' not in text
    for path in ("/actions/pause", "/sign-in", "/sign-out"):
        answer = await client.post(path, data={"token": TOKEN})
        assert answer.status_code == 403
        assert "Nothing can be changed here" in answer.text
    assert (await client.get("/sign-in")).status_code == 403


async def test_another_sites_name_that_leads_here_is_told_nothing(client: httpx.AsyncClient) -> None:
    for path in ("/", "/api/status", "/events", "/orders/7", "/api/orders/7", "/sign-in"):
        answer = await client.get(path, headers={"host": "evil.example:9464"})
        assert answer.status_code == 421
        assert "status.hosts" in answer.text
    assert (await client.get("/", headers={"host": "Connector.Shop.Example"})).status_code == 200
    for path in ("/metrics", "/healthz", "/readyz"):
        assert (await client.get(path, headers={"host": "evil.example"})).status_code != 421


def test_addresses_and_names_without_a_dot_are_ours() -> None:
    for host in ("127.0.0.1:9464", "10.1.2.3", "[::1]:9464", "[::1]", "localhost:80", "connector", "a.example."):
        assert is_known_host(host, ["A.example"]), host
    for host in ("", "evil.example", "127.0.0.1.evil.example:9464", "localhost.evil.example", ":9464"):
        assert not is_known_host(host, ["a.example"]), host


def test_a_session_ends_by_itself() -> None:
    now = [0.0]
    sessions = Sessions(TOKEN, lambda: now[0])
    opened = sessions.open(TOKEN)
    assert sessions.sealed(opened, sessions.seal(opened or ""))
    assert not sessions.sealed(opened, sessions.seal("another"))
    now[0] = LASTS
    assert not sessions.is_open(opened)


async def test_live_pages_get_the_whole_at_first_and_end_when_the_server_stops(context: SiteContext) -> None:
    server = WebServer(create_app(Metrics("1.2.3"), lambda: WELL, context), "127.0.0.1", 0, context.closing)
    await server.start()
    base = f"http://127.0.0.1:{server.port}"
    got: list[str] = []
    begun = asyncio.Event()

    async def read() -> None:
        async with (
            httpx.AsyncClient(base_url=base, trust_env=False) as client,
            client.stream("GET", "/events") as answer,
        ):
            assert answer.headers["content-type"].startswith("text/event-stream")
            async for line in answer.aiter_lines():
                got.append(line)
                if line.startswith("data: "):
                    begun.set()

    reading = asyncio.create_task(read())
    await asyncio.wait_for(begun.wait(), 30)
    await asyncio.wait_for(server.stop(), 30)
    await asyncio.wait_for(reading, 30)
    assert [line for line in got if line][:2] == ["retry: 2000", "event: parts"]
    assert "Held for approval" in "".join(got)


async def test_more_live_pages_than_can_be_served_are_turned_away(client: httpx.AsyncClient) -> None:
    async with AsyncExitStack() as stack:
        reading = []
        for _ in range(MOST):
            answer = await stack.enter_async_context(client.stream("GET", "/events"))
            reading.append(answer.aiter_raw())
            assert await anext(reading[-1]) == b"retry: 2000\n\n"
        assert (await client.get("/events")).status_code == 503
