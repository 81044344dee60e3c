"""Connections: what a failing one means, and how long one is used. Real sockets, real certificates."""

from __future__ import annotations

import asyncio
import gc
import socket
import ssl
from pathlib import Path
from typing import Any

import pytest

from connector.model.errors import ConfigurationError
from connector.model.orders import Outcome, OutcomeKind
from connector.redo.answer_reader import AnswerReader
from connector.redo.client import HttpSettings, RedoClient
from tests.support.processes.descriptors import no_more_descriptors
from tests.support.redo_orders import until
from tests.support.redo_servers import Authority, accepting, client_of, listening, said, serving, small_order

ORDER = small_order("1001")
STORE = {"s": ("https://redo.example.com/v2.2/stores/s/custom/orders", "secret")}


@pytest.fixture
def authority(tmp_path: Path) -> Authority:
    return Authority(tmp_path)


@pytest.fixture
def trusted(authority: Authority, monkeypatch: pytest.MonkeyPatch) -> Authority:
    """The same, trusted by this process."""
    monkeypatch.setenv("SSL_CERT_FILE", str(authority.file))
    return authority


async def push_to(base_url: str, **http: Any) -> Outcome:
    async with client_of(base_url, **http) as client:
        return await client.push(ORDER)


async def test_a_trusted_certificate_lets_orders_through_on_one_connection(trusted: Authority) -> None:
    connected: list[None] = []
    async with (
        serving(tls=trusted.server()) as seen,
        client_of(seen.url, on_connect=lambda: connected.append(None)) as client,
    ):
        for _ in range(20):
            assert (await client.push(ORDER)).kind is OutcomeKind.ACCEPTED
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

    async with listening(plain) as address:
        outcome = await push_to(f"https://{address}")
    assert (outcome.kind, outcome.status, outcome.reason) == (OutcomeKind.REFUSED, None, "tls")


async def test_a_handshake_that_is_broken_off_is_an_unreachable_redo() -> None:
    async def hang_up(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.read(65536)
        writer.close()

    async with listening(hang_up) as address:
        outcome = await push_to(f"https://{address}")
    assert (outcome.kind, outcome.status, outcome.reason) == (OutcomeKind.UNAVAILABLE, None, "connect")


async def test_a_handshake_without_an_answer_times_out_as_never_sent() -> None:
    silence = asyncio.Event()

    async def wait(_: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await silence.wait()
        writer.close()

    async with listening(wait) as address:
        outcome = await push_to(f"https://{address}", timeout=0.1)
        silence.set()
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


@pytest.mark.parametrize("host", ["127.0.0.1", "redo.example.com"])
async def test_without_a_descriptor_nothing_was_sent_and_neither_network_nor_dns_is_blamed(host: str) -> None:
    async with client_of(f"http://{host}") as client:
        await client.push(ORDER)  # what the resolver and the codecs load at their first use is loaded
        with no_more_descriptors():
            outcome = await client.push(ORDER)
    assert (outcome.kind, outcome.status, outcome.reason) == (OutcomeKind.UNAVAILABLE, None, "exhausted")
    assert "limit of open files" in outcome.message


async def test_errors_that_the_caller_deals_with_are_no_cause() -> None:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        try:
            raise ssl.SSLError("of something else")
        except ssl.SSLError:
            outcome = await push_to(f"http://127.0.0.1:{free.getsockname()[1]}")
    assert (outcome.kind, outcome.reason) == (OutcomeKind.UNAVAILABLE, "connect")


async def test_a_connection_that_the_server_closed_meanwhile_is_replaced_before_anything_is_sent() -> None:
    async with serving(close=True) as seen, client_of(seen.url) as client:
        for number in range(1, 21):
            assert (await client.push(ORDER)).kind is OutcomeKind.ACCEPTED
            await until(lambda done=number: seen.closed == done)  # type: ignore[misc]
    assert (seen.requests, seen.connections) == (20, 20)


async def test_a_connection_beyond_its_idle_time_is_replaced() -> None:
    connected: list[None] = []
    async with (
        serving() as seen,
        client_of(seen.url, on_connect=lambda: connected.append(None), keep_alive=0.0) as client,
    ):
        for _ in range(10):
            assert (await client.push(ORDER)).kind is OutcomeKind.ACCEPTED
    assert (seen.requests, len(connected)) == (10, 10)


async def test_a_request_on_a_connection_that_is_closed_just_then_is_not_taken_for_unsent() -> None:
    def second_hangs_up(order_id: str, _: bytes) -> bytes:
        return accepting(order_id) if seen.requests != 2 else b""

    async with serving(second_hangs_up) as seen, client_of(seen.url) as client:
        outcomes = [await client.push(ORDER) for _ in range(3)]
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


@pytest.mark.parametrize(
    "proxy", ["socks5://user:pa55@proxy:1", "proxy:3128", "http://", "ftp://user:pa55@x", "http://a:b:c"]
)
def test_a_proxy_that_cannot_be_used_is_a_configuration_error_without_its_password(proxy: str) -> None:
    with pytest.raises(ConfigurationError, match="proxy") as caught:
        RedoClient(STORE, HttpSettings(proxy=lambda _: proxy))
    assert "pa55" not in str(caught.value)


def test_certificates_that_cannot_be_read_are_a_configuration_error(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("SSL_CERT_FILE", str(tmp_path / "absent.pem"))
    with pytest.raises(ConfigurationError, match="SSL_CERT_FILE"):
        RedoClient(STORE)


async def test_a_proxy_that_says_no_surely_sent_nothing_and_its_words_are_not_repeated() -> None:
    async def refuse(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        writer.write(b"HTTP/1.1 407 Who is pa55\r\nContent-Length: 0\r\n\r\n")
        writer.close()

    async with listening(refuse) as address:
        outcome = await push_to("https://redo.example.com", proxy=lambda _: f"http://user:pa55@{address}")
    assert (outcome.kind, outcome.status, outcome.reason) == (OutcomeKind.UNAVAILABLE, None, "proxy")
    assert "pa55" not in repr(outcome)


async def test_an_address_that_does_not_answer_delays_the_next_one_by_a_moment(monkeypatch: pytest.MonkeyPatch) -> None:
    real = socket.getaddrinfo
    with socket.socket() as full, socket.socket() as filler:
        full.bind(("127.0.0.2", 0))
        full.listen(0)
        filler.connect(full.getsockname())  # no place is left: who else connects waits for ever
        async with serving() as seen:
            served = int(seen.url.rpartition(":")[2])

            def both(host: Any, port: Any, *rest: Any, **named: Any) -> Any:
                if host != "redo.example.com":
                    return real(host, port, *rest, **named)
                kind = (socket.AF_INET, socket.SOCK_STREAM, 6, "")
                return [(*kind, full.getsockname()), (*kind, full.getsockname()), (*kind, ("127.0.0.1", served))]

            monkeypatch.setattr(socket, "getaddrinfo", both)
            assert (await push_to("http://redo.example.com", timeout=20.0)).kind is OutcomeKind.ACCEPTED
    assert seen.connections == 1


async def test_connections_that_rest_too_long_are_closed_while_others_are_used() -> None:
    async with serving() as seen, client_of(seen.url, keep_alive=0.2) as client:
        seen.hold = True
        pushes = asyncio.gather(*(client.push(small_order(str(number))) for number in range(8)))
        await until(lambda: seen.at_once == 8)
        seen.release()
        await pushes
        assert seen.connections == 8
        while seen.closed < 7:
            assert (await client.push(ORDER)).kind is OutcomeKind.ACCEPTED
            await asyncio.sleep(0.01)
        assert seen.connections == 8


async def test_a_push_leaves_no_garbage_that_only_a_collection_frees() -> None:
    async with serving() as seen, client_of(seen.url) as client:
        await client.push(ORDER)
        gc.collect()
        gc.disable()
        try:
            for _ in range(20):
                await client.push(ORDER)
            left = [one for one in gc.get_objects() if isinstance(one, AnswerReader)]
        finally:
            gc.enable()
    assert left == []
