"""The status server over real HTTP."""

from __future__ import annotations

import re
import signal
import socket
from collections.abc import AsyncIterator
from dataclasses import replace

import httpx2 as httpx
import pytest

from connector.model.changes import Lsn, StreamPosition
from connector.model.errors import ConfigurationError
from connector.pipeline.ports.records import Tally
from connector.status.facts import Facts, Leading, State
from connector.status.metrics import Metrics
from connector.status.server.site import create_app
from connector.status.server.web_server import WebServer

WELL = Facts(
    now=1_000.0,
    state=State.STREAMING,
    started_at=900.0,
    version="1.2.3",
    position=StreamPosition(Lsn(1), Lsn(1), Lsn(2_001), 0.0, True),
    sync_lag_seconds=10.0,
    replication_lag_seconds=10.0,
    counted=True,
    tally=Tally(4_321, 0, 990.0, 10, 0, {}),
)
PAUSED = Facts(
    now=1_000.0,
    state=State.PAUSED,
    started_at=900.0,
    version="1.2.3",
    reason="<b>401</b>",
    next_step="check the secret",
)


class Now:
    """The facts that the server sees."""

    facts = WELL


@pytest.fixture
def now() -> Now:
    return Now()


@pytest.fixture
async def client(now: Now) -> AsyncIterator[httpx.AsyncClient]:
    server = WebServer(create_app(Metrics("1.2.3"), lambda: now.facts), "127.0.0.1", 0)
    await server.start()
    async with httpx.AsyncClient(base_url=f"http://127.0.0.1:{server.port}", trust_env=False) as client:
        yield client
    await server.stop()


async def test_metrics_are_of_this_moment(client: httpx.AsyncClient, now: Now) -> None:
    answer = await client.get("/metrics")
    assert answer.headers["content-type"] == "text/plain; version=0.0.4; charset=utf-8"
    assert 'redo_connector_state{state="streaming"} 1.0' in answer.text
    now.facts = PAUSED
    assert 'redo_connector_state{state="paused"} 1.0' in (await client.get("/metrics")).text


async def test_alive_even_when_not_ready(client: httpx.AsyncClient, now: Now) -> None:
    now.facts = PAUSED
    assert (await client.get("/healthz")).status_code == 200


async def test_who_leads_is_a_status_code_however_it_is(client: httpx.AsyncClient, now: Now) -> None:
    for facts in (WELL, PAUSED):
        now.facts = replace(facts, leader=Leading("one", 900.0, 1, here=True))
        assert (await client.get("/healthz?role=leader")).status_code == 200
        now.facts = replace(facts, leader=Leading("one", 900.0, 1, here=False))
        assert (await client.get("/healthz?role=leader")).status_code == 503
    now.facts = PAUSED
    assert (await client.get("/healthz?role=leader")).status_code == 503


async def test_ready_is_a_status_code_with_a_reason(client: httpx.AsyncClient, now: Now) -> None:
    answer = await client.get("/readyz")
    assert (answer.status_code, answer.json()["ready"], answer.json()["state"]) == (200, True, "streaming")
    now.facts = PAUSED
    answer = await client.get("/readyz")
    assert (answer.status_code, answer.json()["ready"]) == (503, False)
    assert "paused" in answer.json()["reason"]
    assert answer.json()["next"] == "check the secret"


async def test_status_is_json(client: httpx.AsyncClient) -> None:
    answer = await client.get("/api/status")
    assert answer.headers["content-type"] == "application/json"
    assert (answer.json()["affected"], answer.json()["replication_lag_bytes"]) == (4_321, 2_000)


async def test_the_page_tells_the_verdict_and_the_numbers(client: httpx.AsyncClient) -> None:
    answer = await client.get("/")
    assert answer.headers["content-type"] == "text/html; charset=utf-8"
    assert "Delivering: Redo is in step with the OMS" in answer.text
    assert '<b class="good">10 s</b>' in answer.text
    assert "<b>4,321</b>" in answer.text
    assert "<b>2.0 kB</b>" in answer.text
    assert "<form" not in answer.text.replace('<form class="find"', "")


async def test_the_page_tells_how_much_wal_the_slot_keeps_and_until_when(client: httpx.AsyncClient, now: Now) -> None:
    now.facts = replace(
        WELL,
        slot_retained_bytes=3 * 1024**3,
        slot_limit="source.wal_budget",
        slot_limit_left_bytes=1024**3,
        slot_seconds_to_limit=7_300.0,
    )
    text = (await client.get("/")).text
    assert "<dd>3.0 GB <small>1.0 GB left until source.wal_budget, reached in 2 h</small></dd>" in text
    now.facts = replace(now.facts, slot_limit=None, slot_limit_left_bytes=None, slot_seconds_to_limit=None)
    assert "no limit is set" in (await client.get("/")).text


async def test_words_from_outside_cannot_become_markup(client: httpx.AsyncClient, now: Now) -> None:
    now.facts = PAUSED
    text = (await client.get("/")).text
    assert "<b>401</b>" not in text
    assert "&lt;b&gt;401&lt;/b&gt;" in text


async def test_the_page_allows_its_own_files_and_nothing_else(client: httpx.AsyncClient) -> None:
    answer = await client.get("/")
    policy = answer.headers["content-security-policy"]
    assert policy == (
        "default-src 'none'; style-src 'self'; script-src 'self'; connect-src 'self'; img-src 'self'; "
        "form-action 'self'; frame-ancestors 'none'; base-uri 'none'"
    )
    assert "style=" not in answer.text
    assert "<style" not in answer.text
    assert not re.findall(r"<script(?! src=)", answer.text)
    linked = re.findall(r'(?:src|href)="(/static/[^"]+)"', answer.text)
    assert sorted(linked) == ["/static/icon.svg", "/static/page.css", "/static/page.js"]
    for path in linked:
        assert (await client.get(path)).status_code == 200
    assert (await client.get("/static/../web.py")).status_code == 404


@pytest.mark.parametrize("path", ["/", "/metrics", "/healthz", "/readyz", "/api/status"])
async def test_nothing_can_be_changed_here(client: httpx.AsyncClient, path: str) -> None:
    assert (await client.post(path)).status_code == 405
    assert (await client.get(path)).headers["cache-control"] == "no-store"


async def test_an_unknown_path_is_404(client: httpx.AsyncClient) -> None:
    answer = await client.get("/elsewhere")
    assert answer.status_code == 404
    assert "There is no such page." in answer.text


def server(host: str = "127.0.0.1", port: int = 0) -> WebServer:
    return WebServer(create_app(Metrics("1.2.3"), lambda: WELL), host, port)


async def test_a_taken_port_is_a_problem_with_the_setting() -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        with pytest.raises(ConfigurationError, match="taken by another program") as caught:
            await server(port=port).start()
    assert [problem.where for problem in caught.value.problems] == ["status.port"]


async def test_an_address_of_another_machine_is_a_problem_with_the_setting() -> None:
    with pytest.raises(ConfigurationError) as caught:
        await server(host="203.0.113.7").start()
    assert [problem.where for problem in caught.value.problems] == ["status.host"]


async def test_signals_stay_with_the_connector() -> None:
    before = signal.getsignal(signal.SIGTERM), signal.getsignal(signal.SIGINT)
    web = server()
    await web.start()
    assert (signal.getsignal(signal.SIGTERM), signal.getsignal(signal.SIGINT)) == before
    await web.stop()


async def test_a_stopped_server_frees_its_port_and_stopping_twice_is_fine() -> None:
    web = server()
    await web.start()
    port = web.port
    await web.stop()
    await web.stop()
    again = server(port=port)
    await again.start()
    assert again.port == port
    await again.stop()


async def test_a_client_that_keeps_its_connection_does_not_hold_the_stop() -> None:
    web = server()
    await web.start()
    async with httpx.AsyncClient(trust_env=False) as client:
        await client.get(f"http://127.0.0.1:{web.port}/healthz")
        await web.stop()
        with pytest.raises(httpx.TransportError):
            await client.get(f"http://127.0.0.1:{web.port}/healthz")
