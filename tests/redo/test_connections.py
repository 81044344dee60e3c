"""Connections: what a failing one means, and how long one is used. Real sockets, real certificates."""

from __future__ import annotations

import asyncio
import socket
import ssl
from pathlib import Path
from typing import Any
from urllib.request import getproxies_environment, proxy_bypass_environment  # type: ignore[attr-defined]

import pytest

from connector.model.errors import ConfigurationError
from connector.model.orders import Outcome, OutcomeKind
from connector.redo.client import RedoClient, environment_proxy, orders_url
from connector.redo.connection_pool import Lanes
from tests.support.redo_orders import until
from tests.support.redo_servers import Authority, accepting, said, serving, small_order

SECRET = "s3cret-Token"
ORDER = small_order("1001")


@pytest.fixture
def authority(tmp_path: Path) -> Authority:
    return Authority(tmp_path)


@pytest.fixture
def trusted(authority: Authority, monkeypatch: pytest.MonkeyPatch) -> Authority:
    """The same, trusted by this process."""
    monkeypatch.setenv("SSL_CERT_FILE", str(authority.file))
    return authority


async def push_to(base_url: str, **options: Any) -> Outcome:
    client = RedoClient(orders_url(base_url, "s"), SECRET, **options)
    try:
        return await client.push(ORDER)
    finally:
        await client.aclose()


async def test_a_trusted_certificate_lets_orders_through_on_one_connection(trusted: Authority) -> None:
    connected: list[None] = []
    async with serving(tls=trusted.server()) as seen:
        client = RedoClient(
            orders_url(seen.url, "s"), SECRET, lanes=Lanes(1, on_connect=lambda: connected.append(None))
        )
        for _ in range(20):
            assert (await client.push(ORDER)).kind is OutcomeKind.ACCEPTED
        await client.aclose()
    assert (seen.connections, len(connected)) == (1, 1)


@pytest.mark.parametrize(("name", "days"), [("redo.example.com", 1), ("localhost", -1)])
async def test_a_certificate_for_another_host_or_an_expired_one_refuses_everybody(
    trusted: Authority, name: str, days: int
) -> None:
    async with serving(tls=trusted.server(name, days)) as seen:
        outcome = await push_to(seen.url)
    assert (outcome.kind, outcome.status, outcome.reason) == (OutcomeKind.REFUSED, None, "tls")
    assert "redo.base_url" in outcome.message
    assert seen.requests == 0


async def test_a_certificate_that_nobody_vouches_for_refuses_everybody(authority: Authority) -> None:
    async with serving(tls=authority.server()) as seen:
        outcome = await push_to(seen.url)
    assert (outcome.kind, outcome.status, outcome.reason) == (OutcomeKind.REFUSED, None, "tls")
    assert "certificate verify failed" in outcome.message


async def test_plain_http_on_the_tls_port_refuses_everybody() -> None:
    async def plain(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.read(1)
        writer.write(b"HTTP/1.1 400 Bad Request\r\n\r\n")
        writer.close()

    server = await asyncio.start_server(plain, "127.0.0.1", 0)
    outcome = await push_to(f"https://127.0.0.1:{server.sockets[0].getsockname()[1]}")
    server.close()
    assert (outcome.kind, outcome.status, outcome.reason) == (OutcomeKind.REFUSED, None, "tls")


async def test_a_handshake_that_is_broken_off_is_an_unreachable_redo() -> None:
    async def hang_up(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.read(65536)
        writer.close()

    server = await asyncio.start_server(hang_up, "127.0.0.1", 0)
    outcome = await push_to(f"https://127.0.0.1:{server.sockets[0].getsockname()[1]}")
    server.close()
    assert (outcome.kind, outcome.status, outcome.reason) == (OutcomeKind.UNAVAILABLE, None, "connect")


async def test_a_handshake_without_an_answer_times_out_as_never_sent() -> None:
    silence = asyncio.Event()

    async def wait(_: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await silence.wait()
        writer.close()

    server = await asyncio.start_server(wait, "127.0.0.1", 0)
    outcome = await push_to(f"https://127.0.0.1:{server.sockets[0].getsockname()[1]}", timeout=0.1)
    silence.set()
    server.close()
    assert (outcome.kind, outcome.reason) == (OutcomeKind.UNAVAILABLE, "connect_timeout")


async def test_a_host_that_does_not_exist_is_never_asked() -> None:
    outcome = await push_to("http://no-such-host.invalid")
    # A machine without any name server can't tell either.
    assert (outcome.kind, outcome.status, outcome.reason) in (
        (OutcomeKind.REFUSED, None, "dns"),
        (OutcomeKind.UNAVAILABLE, None, "dns_temporary"),
    )


@pytest.mark.parametrize(
    ("errno", "kind", "reason"),
    [
        (socket.EAI_NONAME, OutcomeKind.REFUSED, "dns"),
        (socket.EAI_NODATA, OutcomeKind.REFUSED, "dns"),
        (socket.EAI_FAIL, OutcomeKind.REFUSED, "dns"),
        (socket.EAI_AGAIN, OutcomeKind.UNAVAILABLE, "dns_temporary"),
        (socket.EAI_SYSTEM, OutcomeKind.UNAVAILABLE, "dns_temporary"),
    ],
)
async def test_an_unknown_name_refuses_everybody_and_a_silent_name_server_does_not(
    monkeypatch: pytest.MonkeyPatch, errno: int, kind: OutcomeKind, reason: str
) -> None:
    def fail(*_: Any, **__: Any) -> Any:
        raise socket.gaierror(errno, "said the resolver")

    monkeypatch.setattr(socket, "getaddrinfo", fail)
    outcome = await push_to("https://redo.example.com")
    assert (outcome.kind, outcome.status, outcome.reason) == (kind, None, reason)
    assert "DNS" in outcome.message


async def test_errors_that_the_caller_deals_with_are_no_cause() -> None:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        try:
            raise ssl.SSLError("of something else")
        except ssl.SSLError:
            outcome = await push_to(f"http://127.0.0.1:{free.getsockname()[1]}")
    assert (outcome.kind, outcome.reason) == (OutcomeKind.UNAVAILABLE, "connect")


async def test_200_requests_over_8_lanes_open_at_most_8_connections() -> None:
    connected: list[None] = []
    async with serving() as seen:
        client = RedoClient(
            orders_url(seen.url, "s"), SECRET, lanes=Lanes(8, on_connect=lambda: connected.append(None))
        )
        outcomes = await asyncio.gather(*(client.push(ORDER) for _ in range(200)))
        await client.aclose()
    assert {outcome.kind for outcome in outcomes} == {OutcomeKind.ACCEPTED}
    assert seen.requests == 200
    assert seen.connections == len(connected) <= 8
    assert seen.most_at_once <= 8


async def test_a_connection_that_the_server_closed_meanwhile_is_replaced_before_anything_is_sent() -> None:
    async with serving(close=True) as seen:
        client = RedoClient(orders_url(seen.url, "s"), SECRET)
        for number in range(1, 21):
            assert (await client.push(ORDER)).kind is OutcomeKind.ACCEPTED
            await until(lambda done=number: seen.closed == done)  # type: ignore[misc]
        await client.aclose()
    assert (seen.requests, seen.connections) == (20, 20)


async def test_a_connection_beyond_its_idle_time_is_replaced() -> None:
    connected: list[None] = []
    lanes = Lanes(1, on_connect=lambda: connected.append(None), keep_alive=0.0)
    async with serving() as seen:
        client = RedoClient(orders_url(seen.url, "s"), SECRET, lanes=lanes)
        for _ in range(10):
            assert (await client.push(ORDER)).kind is OutcomeKind.ACCEPTED
        await client.aclose()
    assert (seen.requests, len(connected)) == (10, 10)


async def test_a_request_on_a_connection_that_is_closed_just_then_is_not_taken_for_unsent() -> None:
    def second_hangs_up(order_id: str, _: bytes) -> bytes:
        return accepting(order_id) if seen.requests != 2 else b""

    async with serving(second_hangs_up) as seen:
        client = RedoClient(orders_url(seen.url, "s"), SECRET, max_connections=1)
        outcomes = [await client.push(ORDER) for _ in range(3)]
        await client.aclose()
    assert [outcome.reason for outcome in outcomes] == ["http_200", "cut", "http_200"]
    assert outcomes[1].kind is OutcomeKind.UNKNOWN


@pytest.mark.parametrize("status", [100, 102, 103])
async def test_what_is_said_before_the_answer_is_passed_over(status: int) -> None:
    async with serving(lambda order_id, _: said(status) + accepting(order_id)) as seen:
        assert (await push_to(seen.url)).kind is OutcomeKind.ACCEPTED


@pytest.mark.parametrize("status", [100, 102, 103, 199])
async def test_an_announcement_without_an_answer_is_an_unknown_outcome(status: int) -> None:
    async with serving(lambda *_: said(status), close=True) as seen:
        outcome = await push_to(seen.url)
    assert (outcome.kind, outcome.reason) == (OutcomeKind.UNKNOWN, "cut")


ENVIRONMENTS: list[dict[str, str]] = [
    {},
    {"HTTPS_PROXY": "http://proxy:3128"},
    {"https_proxy": "http://lower:1", "HTTPS_PROXY": "http://upper:1"},
    {"HTTPS_PROXY": "http://upper:1", "https_proxy": ""},
    {"HTTP_PROXY": "http://proxy:3128", "HTTPS_PROXY": ""},
    {"HTTP_PROXY": "http://caller:1", "REQUEST_METHOD": "GET"},
    {"HTTP_PROXY": "http://caller:1", "http_proxy": "http://ours:1", "REQUEST_METHOD": "GET"},
    {"HTTPS_PROXY": "http://proxy:1", "HTTP_PROXY": "http://proxy:2", "NO_PROXY": "inside.example.com"},
    {"HTTPS_PROXY": "http://proxy:1", "HTTP_PROXY": "http://proxy:2", "no_proxy": ".example.com, 10.0.0.1"},
    {"HTTPS_PROXY": "http://proxy:1", "HTTP_PROXY": "http://proxy:2", "NO_PROXY": "*"},
    {"HTTPS_PROXY": "http://proxy:1", "HTTP_PROXY": "http://proxy:2", "NO_PROXY": "inside.example.com:8443"},
    {"HTTPS_PROXY": "http://proxy:1", "NO_PROXY": "*", "no_proxy": ""},
]


@pytest.mark.parametrize("environment", ENVIRONMENTS, ids=str)
def test_the_environments_proxy_is_what_urllib_finds(
    monkeypatch: pytest.MonkeyPatch, environment: dict[str, str]
) -> None:
    for name in ("HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY", "NO_PROXY"):
        monkeypatch.delenv(name, raising=False)
        monkeypatch.delenv(name.lower(), raising=False)
    for name, value in environment.items():
        monkeypatch.setenv(name, value)
    known = getproxies_environment()
    for scheme in ("http", "https"):
        for host in ("inside.example.com", "inside.example.com:8443", "10.0.0.1", "api.getredo.com"):
            expected = None if proxy_bypass_environment(host, known) else known.get(scheme)
            assert environment_proxy(f"{scheme}://{host}/v2.2", environment) == expected


def test_one_proxy_for_all_is_found_and_may_lack_its_scheme() -> None:
    assert environment_proxy("https://x/", {"ALL_PROXY": "proxy:3128"}) == "http://proxy:3128"
    assert environment_proxy("https://x/", {"all_proxy": "http://a:1", "HTTPS_PROXY": "http://b:1"}) == "http://b:1"
    assert environment_proxy("https://x/", {"all_proxy": "http://a:1", "NO_PROXY": "x"}) is None


@pytest.mark.parametrize(
    "proxy", ["socks5://user:pa55@proxy:1", "proxy:3128", "http://", "ftp://user:pa55@x", "http://a:b:c"]
)
def test_a_proxy_that_cannot_be_used_is_a_configuration_error_without_its_password(proxy: str) -> None:
    with pytest.raises(ConfigurationError, match="proxy") as caught:
        Lanes(1, proxy)
    assert "pa55" not in str(caught.value)


def test_certificates_that_cannot_be_read_are_a_configuration_error(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("SSL_CERT_FILE", str(tmp_path / "absent.pem"))
    with pytest.raises(ConfigurationError, match="SSL_CERT_FILE"):
        Lanes(1)


async def test_a_proxy_that_says_no_surely_sent_nothing_and_its_words_are_not_repeated() -> None:
    async def refuse(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        writer.write(b"HTTP/1.1 407 Who is pa55\r\nContent-Length: 0\r\n\r\n")
        writer.close()

    server = await asyncio.start_server(refuse, "127.0.0.1", 0)
    port = server.sockets[0].getsockname()[1]
    outcome = await push_to("https://redo.example.com", lanes=Lanes(1, f"http://user:pa55@127.0.0.1:{port}"))
    server.close()
    assert (outcome.kind, outcome.status, outcome.reason) == (OutcomeKind.UNAVAILABLE, None, "proxy")
    assert "pa55" not in repr(outcome)
