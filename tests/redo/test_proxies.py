"""Through a proxy: what it is asked, by whose credentials, and that nothing was sent where it opens no tunnel."""

from __future__ import annotations

import asyncio
import ssl
from base64 import b64encode
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from pathlib import Path

import pytest
import uvloop

from connector.model.orders import OutcomeKind
from tests.support.redo_servers import Authority, Handler, client_of, listening, said, serving, small_order

ORDER = small_order("1001")
CREDENTIALS = b"Proxy-Authorization: Basic " + b64encode(b"us@er:pa:55") + b"\r\n"
"""Of `us%40er:pa%3A55@`."""


async def _pass_on(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    with suppress(OSError):
        while data := await reader.read(65536):
            writer.write(data)
    writer.close()


@asynccontextmanager
async def proxy_to(port: int, asked: list[bytes], tls: ssl.SSLContext | None = None) -> AsyncIterator[str]:
    """A proxy whose tunnels all lead to a port of this machine: its `host:port`."""
    passing: list[asyncio.Task[None]] = []

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        asked.append(await reader.readuntil(b"\r\n\r\n"))
        writer.write(b"HTTP/1.1 200 Connection established\r\nContent-Length: 7\r\n\r\n")
        further, onward = await asyncio.open_connection("127.0.0.1", port)
        passing.append(asyncio.ensure_future(_pass_on(further, writer)))
        await _pass_on(reader, onward)

    server = await asyncio.start_server(serve, "127.0.0.1", 0, ssl=tls)
    yield f"localhost:{server.sockets[0].getsockname()[1]}"
    server.close()
    if passing:
        await asyncio.wait(passing)


@pytest.mark.parametrize("new_loop", [asyncio.new_event_loop, uvloop.new_event_loop], ids=["asyncio", "uvloop"])
@pytest.mark.parametrize("scheme", ["http", "https"])
def test_orders_go_through_one_tunnel_that_the_proxy_cannot_look_into(
    new_loop: type[asyncio.AbstractEventLoop], scheme: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    authority = Authority(tmp_path)
    monkeypatch.setenv("SSL_CERT_FILE", str(authority.file))
    asked: list[bytes] = []
    connected: list[None] = []

    async def story() -> None:
        async with serving(tls=authority.server()) as seen:
            port = int(seen.url.rpartition(":")[2])
            async with proxy_to(port, asked, authority.server() if scheme == "https" else None) as address:
                proxy = f"{scheme}://us%40er:pa%3A55@{address}"
                url = "https://localhost:8443"
                async with client_of(url, proxy=lambda _: proxy, on_connect=lambda: connected.append(None)) as client:
                    for _ in range(5):
                        assert (await client.push(ORDER)).kind is OutcomeKind.ACCEPTED
                await asyncio.sleep(0)
            assert (seen.requests, len(connected)) == (5, 1)

    with asyncio.Runner(loop_factory=new_loop) as runner:
        runner.run(story())
    assert asked == [b"CONNECT localhost:8443 HTTP/1.1\r\nHost: localhost:8443\r\n" + CREDENTIALS + b"\r\n"]


async def test_without_tls_the_proxy_is_asked_for_the_whole_url() -> None:
    requests: list[bytes] = []

    def script(_: str, request: bytes) -> bytes:
        requests.append(request)
        return said(407 if b"Proxy-Authorization" not in request else 503)

    async with serving(script) as seen:
        for userinfo, status in (("us%40er:pa%3A55@", 503), ("", 407)):
            proxy = seen.url.replace("localhost", f"{userinfo}localhost")
            async with client_of("http://redo.example.com/v2.2", proxy=lambda _, proxy=proxy: proxy) as client:
                outcome = await client.push(ORDER)
            assert (outcome.kind, outcome.status) == (OutcomeKind.UNAVAILABLE, status)
    lines = requests[0].split(b"\r\n")
    assert lines[:2] == [
        b"POST http://redo.example.com/v2.2/stores/s/custom/orders HTTP/1.1",
        b"Host: redo.example.com",
    ]
    assert CREDENTIALS.strip() in lines


async def hang_up(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    await reader.readuntil(b"\r\n\r\n")
    writer.close()


async def no_http(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    await reader.readuntil(b"\r\n\r\n")
    writer.write(b"words\r\n\r\n")
    writer.close()


async def half_a_head(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    await reader.readuntil(b"\r\n\r\n")
    writer.write(b"HTTP/1.1 200 Connection established\r\n")
    writer.close()


async def forbid(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    await reader.readuntil(b"\r\n\r\n")
    writer.write(said(403, b"pa:55"))
    writer.close()


@pytest.mark.parametrize("handler", [hang_up, no_http, half_a_head, forbid])
async def test_where_the_proxy_opens_no_tunnel_nothing_was_sent(handler: Handler) -> None:
    async with (
        listening(handler) as address,
        client_of("https://redo.example.com", proxy=lambda _: f"http://us:pa%3A55@{address}") as client,
    ):
        outcome = await client.push(ORDER)
    assert (outcome.kind, outcome.status, outcome.reason) == (OutcomeKind.UNAVAILABLE, None, "proxy")
    assert "pa:55" not in repr(outcome)


async def test_a_tunnel_that_ends_in_the_handshake_sent_nothing() -> None:
    async def open_and_hang_up(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        writer.write(said(204))
        await reader.read(100)
        writer.close()

    async with (
        listening(open_and_hang_up) as address,
        client_of("https://redo.example.com", proxy=lambda _: f"http://{address}") as client,
    ):
        outcome = await client.push(ORDER)
    assert (outcome.kind, outcome.reason) == (OutcomeKind.UNAVAILABLE, "connect")
