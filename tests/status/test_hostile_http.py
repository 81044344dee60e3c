"""Odd bytes at every path, query and header of the status server: each gets an answer, none an error of ours, and
none keeps the loop. Work is counted in processor time of the loop's own thread, whatever else the machine does."""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Iterator

import httpx2 as httpx
import pytest

from connector.status.server import connections
from tests.status.test_actions import WrittenDown, client, context, desk
from tests.status.test_order import Library, library
from tests.status.test_order import client as order_client

__all__ = ["client", "context", "desk", "library", "order_client"]

LONGEST = 0.05
"""Seconds of the loop's thread for one request, our client's part included."""
ODD = [
    b"%00",
    b"%ed%a0%80",
    b"%ff%fe",
    b"%E2%80%AE%E2%80%8B",
    b"%0d%0aX-Odd:%201",
    b"[" * 3000,
    b"%7B%22a%22:" * 1000,
    b"9" * 5000,
    b"x" * 12_000,
    b"%25" * 4000,
    b"&" * 12_000,
    b"a=b&" * 3000,
    b"..%2f" * 2000,
    b"NaN",
    b"-1",
    b"1e999999",
    b"%",
    b"+",
]
HEADERS = [
    b"Cookie: " + b"a=b; " * 2000,
    b'Cookie: redo_connector_session="' + b"\\" * 12_000,
    b'Cookie: redo_connector_session="' + b"\\0" * 6000 + b'"',
    b"Cookie: redo_connector_session=" + b"x" * 12_000,
    b"Cookie: \xff\xfe\xed\xa0\x80",
    b"X-Forwarded-For: " + b"1.2.3.4, " * 1200,
    b"X-Forwarded-For: \xff",
    b"X-Forwarded-Proto: \xff",
    b"Sec-Fetch-Site: \xff",
    b"Range: bytes=" + b"0-1," * 3000,
    b"If-None-Match: " + b"\xff" * 5000,
    b"Accept: " + b"*/*;q=" * 2000,
    b"Content-Length: " + b"9" * 4000,
    b"Transfer-Encoding: chunked",
    b"Expect: 100-continue",
    b"Upgrade: websocket\r\nConnection: Upgrade",
]
PATHS = [b"/", b"/api/status", b"/sign-in", b"/metrics", b"/healthz", b"/readyz", b"/orders"]


@pytest.fixture(autouse=True)
def _at_any_pace(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(connections, "PAGES_A_SECOND", 100_000)


def requests() -> Iterator[bytes]:
    for odd in ODD:
        for path in (b"/orders/", b"/api/orders/", b"/static/", b"/actions/", b"/"):
            yield b"GET " + path + odd + b" HTTP/1.1\r\nHost: localhost\r\n"
        for path in PATHS:
            for name in (b"asked", b"then", b"key", b"at", b""):
                yield b"GET " + path + b"?" + name + b"=" + odd + b" HTTP/1.1\r\nHost: localhost\r\n"
    for header in HEADERS:
        for method in (b"GET /", b"POST /sign-in", b"POST /actions/pause", b"GET /orders/7"):
            yield method + b" HTTP/1.1\r\nHost: localhost\r\n" + header + b"\r\n"
    for host in (b"\xff", b"[" * 3000, b":" * 3000, b"1" * 8000, b"", b"a..b:99999999", b"%00", b"::1%\xff"):
        yield b"GET / HTTP/1.1\r\nHost: " + host + b"\r\n"
    yield from (b"\xff\xfe\0 / HTTP/1.1\r\n", b"GET / HTTP/9.9\r\n", b"GET  HTTP/1.1\r\n", b"\r\n" * 100, b"G" * 20_000)


async def answer(port: int, request: bytes) -> int:
    """The status; 0 where the server hung up, or waits for more."""
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    writer.write(request + b"Connection: close\r\n\r\n")
    try:
        line = await asyncio.wait_for(reader.readline(), 2)
        return int(line.split()[1]) if line else 0
    except (TimeoutError, ConnectionError):
        return 0
    finally:
        writer.close()


async def test_every_request_is_answered_without_an_error_of_ours_and_without_keeping_the_loop(
    caplog: pytest.LogCaptureFixture,
    client: httpx.AsyncClient,
    order_client: httpx.AsyncClient,
    desk: WrittenDown,
    library: Library,
) -> None:
    caplog.set_level(logging.ERROR)
    page, orders = client.base_url.port, order_client.base_url.port
    assert page is not None
    assert orders is not None
    for odd in requests():
        port = orders if b"/orders" in odd else page
        spent = LONGEST
        for _ in range(3):  # a collection of garbage may fall into one of them
            before = time.thread_time()
            status = await answer(port, odd)
            spent = min(spent, time.thread_time() - before)
            assert status < 500 or status == 503, odd[:80]
            if spent < LONGEST:
                break
        assert spent < LONGEST, odd[:80]
    assert caplog.records == []
    assert desk.asked == []
    for port in (page, orders):
        assert await answer(port, b"GET / HTTP/1.1\r\nHost: localhost\r\n") == 200


async def test_deep_and_endless_bodies_are_refused_without_keeping_the_loop(client: httpx.AsyncClient) -> None:
    for body in (b"token=" + b"%25" * 5000, b"&" * 16_000, b"token=" + b"[" * 16_000, b"x" * 2_000_000):
        headers = {"content-type": "application/x-www-form-urlencoded"}
        before = time.thread_time()
        status = (await client.post("/sign-in", content=body, headers=headers)).status_code
        assert status in (400, 403, 429)
        assert time.thread_time() - before < 0.2  # of which sending is a part
