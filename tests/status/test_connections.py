"""What visitors of the status port can't do: hold its connections for ever, or have them all."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator
from contextlib import suppress
from dataclasses import replace

import httpx2 as httpx
import pytest

from connector.status.metrics import Metrics
from connector.status.server import connections
from connector.status.server.site import create_app
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


async def test_with_as_many_answers_on_the_way_a_new_connection_is_closed(patient: WebServer) -> None:
    reading = [await connected(patient, b"GET /events HTTP/1.1\r\nHost: localhost\r\n\r\n") for _ in range(MOST)]
    for reader, _ in reading:
        await reader.readuntil(b"event: parts")
    assert await closed(await connected(patient, HEAD + b"\r\n")) == b""
    for _, writer in reading:
        assert not writer.is_closing()
        writer.close()
