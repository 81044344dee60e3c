"""What visitors of the status port can't do: hold its connections for ever, have them all, or keep monitoring out."""

from __future__ import annotations

import asyncio
import socket
import time
from collections.abc import AsyncIterator
from contextlib import suppress
from dataclasses import replace

import httpx2 as httpx
import pytest
from starlette.types import Receive, Scope, Send

from connector.status.metrics import Metrics
from connector.status.server import connections
from connector.status.server.site import METRICS_A_SECOND, create_app
from connector.status.server.web_server import WebServer
from tests.status.test_web import WELL
from tests.support.fixtures.connector import eventually

MOST = 8
Peer = tuple[asyncio.StreamReader, asyncio.StreamWriter]


@pytest.fixture
async def server(monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[WebServer]:
    monkeypatch.setattr(connections, "REQUEST_WITHIN", 0.3)
    monkeypatch.setattr(connections, "READ_WITHIN", 0.3)
    large = replace(WELL, reason="x" * 8_000_000)
    server = WebServer(create_app(Metrics("1.2.3"), lambda: large), "127.0.0.1", 0, None, MOST)
    await server.start()
    yield server
    await server.stop()


@pytest.fixture
async def patient(server: WebServer, monkeypatch: pytest.MonkeyPatch) -> WebServer:
    """A server that closes nothing for its slowness while a test runs."""
    monkeypatch.setattr(connections, "REQUEST_WITHIN", 600.0)
    monkeypatch.setattr(connections, "READ_WITHIN", 600.0)
    return server


async def connected(server: WebServer, sent: bytes = b"") -> Peer:
    reader, writer = await asyncio.open_connection("127.0.0.1", server.port)
    writer.write(sent)
    return reader, writer


async def closed(peer: Peer) -> bytes:
    """What came until the server closed. The test's own time bounds the wait."""
    found = b""
    with suppress(ConnectionError):
        while some := await peer[0].read(1 << 20):
            found += some
    peer[1].close()
    return found


HEAD = b"GET /healthz HTTP/1.1\r\nHost: localhost\r\n"


@pytest.mark.parametrize(
    "sent",
    [
        b"",
        b"GET /heal",
        HEAD,
        b"POST /sign-in HTTP/1.1\r\nHost: localhost\r\nContent-Length: 9\r\n\r\ntoken",
        b"POST /sign-in HTTP/1.1\r\nHost: localhost\r\nTransfer-Encoding: chunked\r\n\r\n5\r\ntoken\r\n",
    ],
)
async def test_a_connection_that_owes_its_request_is_closed(server: WebServer, sent: bytes) -> None:
    await closed(await connected(server, sent))


async def test_a_connection_that_sends_a_byte_now_and_then_is_closed_too(server: WebServer) -> None:
    peer = await connected(server)

    async def dribble() -> None:
        for byte in HEAD * 1_000:
            peer[1].write(bytes((byte,)))
            await asyncio.sleep(0.02)

    dribbling = asyncio.create_task(dribble())
    await closed(peer)
    assert not dribbling.done()
    dribbling.cancel()


async def test_so_is_one_that_begins_a_second_request_and_never_ends_it(server: WebServer) -> None:
    peer = await connected(server, HEAD + b"\r\n" + HEAD)
    assert (await closed(peer)).count(b"200 OK") == 1


async def test_a_peer_that_does_not_read_its_answer_is_cut_off(server: WebServer) -> None:
    peer = await connected(server, b"GET /api/status HTTP/1.1\r\nHost: localhost\r\n\r\n")
    peer[1].transport.pause_reading()  # type: ignore[attr-defined]
    assert server._server is not None
    state = server._server.server_state
    await eventually("the connection is there", lambda: bool(state.connections))
    await eventually("it is gone", lambda: not state.connections)
    peer[1].close()


async def test_whole_requests_in_a_row_keep_their_connection(server: WebServer) -> None:
    peer = await connected(server)
    over = time.monotonic() + 2 * connections.REQUEST_WITHIN
    while time.monotonic() < over:
        peer[1].write(HEAD + b"\r\n")
        assert b'{"alive":true}' in await peer[0].readuntil(b"}")
    peer[1].close()


async def test_silent_connections_give_way_to_one_that_asks(patient: WebServer) -> None:
    silent = [await connected(patient) for _ in range(MOST * 4)]
    async with httpx.AsyncClient(base_url=f"http://127.0.0.1:{patient.port}", trust_env=False) as client:
        for _ in range(20):
            assert (await client.get("/healthz", headers={"Connection": "close"})).json() == {"alive": True}
    for peer in silent[: MOST * 3]:
        await closed(peer)
    assert patient._server is not None
    assert len(patient._server.server_state.connections) <= MOST
    for peer in silent:
        peer[1].close()


async def test_as_many_give_way_as_come_at_once(patient: WebServer) -> None:
    silent = [socket.create_connection(("127.0.0.1", patient.port)) for _ in range(MOST * 4)]  # the loop doesn't turn
    state = patient._server.server_state  # type: ignore[union-attr]
    assert b'{"alive":true}' in await closed(await connected(patient, HEAD + b"Connection: close\r\n\r\n"))
    assert len(state.connections) <= MOST
    for one in silent:
        one.close()


async def test_a_peer_that_leaves_the_rest_of_its_last_answer_unread_is_cut_off(
    server: WebServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    few = replace(WELL, reason="x" * 20_000)  # less than makes uvicorn wait with writing
    small = WebServer(create_app(Metrics("1.2.3"), lambda: few), "127.0.0.1", 0, None, MOST)
    await small.start()
    small._socket.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, 4096)  # type: ignore[union-attr]
    peer = socket.socket()
    peer.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
    peer.connect(("127.0.0.1", small.port))
    peer.sendall(b"GET /api/status HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n")
    state = small._server.server_state  # type: ignore[union-attr]
    await eventually("it is answered", lambda: state.total_requests == 1)
    assert state.connections
    await eventually("it is gone", lambda: not state.connections)
    peer.close()
    await small.stop()


class Slow:
    """The application, whose orders take until they are let go."""

    def __init__(self) -> None:
        self._app = create_app(Metrics("1.2.3"), lambda: WELL, connections=MOST)
        self.let_go = asyncio.Event()
        self.asked: list[str] = []

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        self.asked.append(scope["path"])
        if scope["path"].startswith("/orders"):
            await self.let_go.wait()
        await self._app(scope, receive, send)


@pytest.fixture
async def slow() -> AsyncIterator[tuple[WebServer, Slow]]:
    app = Slow()
    server = WebServer(app, "127.0.0.1", 0, None, MOST)
    await server.start()
    yield server, app
    app.let_go.set()
    await server.stop()


def get(path: str) -> bytes:
    return f"GET {path} HTTP/1.1\r\nHost: localhost\r\n\r\n".encode()


async def test_with_as_many_answers_on_the_way_probes_are_answered_and_nothing_else(
    slow: tuple[WebServer, Slow],
) -> None:
    server, app = slow
    reading = [await connected(server, get("/orders/7")) for _ in range(MOST)]
    await eventually("they are on the way", lambda: len(app.asked) >= MOST - MOST // 4)
    for path in ("/healthz", "/readyz", "/metrics") * 2:
        answer = await closed(await connected(server, get(path)))
        assert answer.startswith(b"HTTP/1.1 200 OK")
        assert b"connection: close" in answer
    for path in ("/", "/api/status", "/orders/8"):
        answer = await closed(await connected(server, get(path)))
        assert answer.startswith(b"HTTP/1.1 503 ")
        assert b"connection: close" in answer
    assert app.asked.count("/orders/7") == MOST - MOST // 4
    for _, writer in reading:
        writer.close()


async def test_silent_connections_keep_no_probe_out_either(slow: tuple[WebServer, Slow]) -> None:
    server, app = slow
    peers = [await connected(server, get("/orders/7")) for _ in range(MOST)]
    await eventually("they are on the way", lambda: len(app.asked) >= MOST - MOST // 4)
    peers += [await connected(server) for _ in range(MOST)]
    assert (await closed(await connected(server, get("/healthz")))).startswith(b"HTTP/1.1 200 OK")
    for _, writer in peers:
        writer.close()


async def test_live_pages_have_half_of_few_connections(slow: tuple[WebServer, Slow]) -> None:
    server, _ = slow
    reading = [await connected(server, get("/events")) for _ in range(MOST // 2)]
    for reader, _ in reading:
        await reader.readuntil(b"event: parts")
    peer = await connected(server, get("/events"))
    assert b" 503 " in await peer[0].readline()
    for _, writer in [*reading, peer]:
        writer.close()


async def test_many_scrapes_get_the_last_metrics_that_were_rendered(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(connections, "PROBES_A_SECOND", 100_000)
    metrics, rendered = Metrics("1.2.3"), 0

    def exposition() -> bytes:
        nonlocal rendered
        rendered += 1
        return b"rendered 1.0\n"

    monkeypatch.setattr(metrics, "exposition", exposition)
    server = WebServer(create_app(metrics, lambda: WELL), "127.0.0.1", 0)
    began = time.monotonic()
    await server.start()
    last = b"GET /metrics HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n"
    peers = [await connected(server, get("/metrics") * 49 + last) for _ in range(10)]
    answers = b"".join([await closed(peer) for peer in peers])
    assert answers.count(b"\r\n\r\nrendered 1.0\n") == 500
    assert 0 < rendered <= METRICS_A_SECOND * (1 + time.monotonic() - began)
    await server.stop()


async def test_all_visitors_together_are_paced_in_turn_and_probes_pass_them(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(connections, "PAGES_A_SECOND", 4)
    app = Slow()
    server, began = WebServer(app, "127.0.0.1", 0), time.monotonic()
    await server.start()
    many = await connected(server, get("/api/status") * 40)
    await eventually("the first are answered", lambda: len(app.asked) >= 4)
    one, probe = await connected(server, get("/sign-in")), await connected(server, get("/healthz"))
    assert b" 200 OK" in await probe[0].readline()
    assert "/sign-in" not in app.asked
    assert b" 403 " in await one[0].readline()
    assert len(app.asked) - 1 <= 4 * (1 + time.monotonic() - began)
    more = [await connected(server, get("/api/status")) for _ in range(12)]
    state = server._server.server_state  # type: ignore[union-attr]
    await eventually("they wait", lambda: len(state.tasks) >= 12)
    await server.stop()
    assert len(app.asked) < 40
    assert [record for record in caplog.records if record.levelname == "ERROR"] == []
    for _, writer in (many, one, probe, *more):
        writer.close()


async def test_requests_of_one_connection_in_a_row_let_others_in_between(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(connections, "PAGES_A_SECOND", 20)
    app = Slow()
    server = WebServer(app, "127.0.0.1", 0)
    await server.start()
    peers = [await connected(server, get(path) * 25) for path in ("/api/status", "/sign-in")]
    await eventually("turns are waited for", lambda: len(app.asked) >= 30)
    in_turn = app.asked[22:30]
    assert in_turn[::2] in (["/api/status"] * 4, ["/sign-in"] * 4)
    assert in_turn[::2] != in_turn[1::2]
    await server.stop()
    for _, writer in peers:
        writer.close()
