"""The client over real sockets: against the sandbox, and against servers that misbehave."""

from __future__ import annotations

import asyncio
import socket
import struct
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import pytest

from connector.model.errors import ConfigurationError
from connector.model.orders import Outcome, OutcomeKind, Place
from connector.redo.client import RedoClient
from connector.sandbox.server import SandboxServer
from connector.sandbox.state import State
from tests.support.redo_orders import document, line_item, order_of, until
from tests.support.redo_servers import SECRET, Handler, client_of, listening, said, serving

ORDER = order_of(document())


@asynccontextmanager
async def sandboxed(**http: Any) -> AsyncIterator[tuple[RedoClient, State]]:
    async with SandboxServer(State("s", SECRET)) as sandbox, client_of(sandbox.base_url, **http) as client:
        yield client, sandbox.state


@asynccontextmanager
async def against(handler: Handler, **http: Any) -> AsyncIterator[RedoClient]:
    """A client whose server reads one request, then does as the handler does, then closes."""

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            head = await reader.readuntil(b"\r\n\r\n")
            length = next(line for line in head.lower().split(b"\r\n") if line.startswith(b"content-length:"))
            await reader.readexactly(int(length.partition(b":")[2]))
            await handler(reader, writer)
        except (asyncio.IncompleteReadError, ConnectionError):
            pass
        finally:
            writer.close()

    async with listening(serve) as address, client_of(f"http://{address}", **http) as client:
        yield client


def at(order_id: str) -> Place:
    return Place("", order_id)


def saying(status: str, body: bytes = b"", *headers: str) -> Handler:
    async def say(_: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        lines = [f"HTTP/1.1 {status}", f"Content-Length: {len(body)}", *headers, "", ""]
        writer.write("\r\n".join(lines).encode() + body)
        await writer.drain()

    return say


async def pushed(handler: Handler, **options: Any) -> Outcome:
    async with against(handler, **options) as client:
        return await client.push(ORDER)


async def test_an_accepted_push_carries_redos_id() -> None:
    async with sandboxed() as (client, state):
        outcome = await client.push(ORDER)
        assert (outcome.kind, outcome.status, outcome.redo_id) == (OutcomeKind.ACCEPTED, 200, state.redo_ids["1001"])
        assert state.orders["1001"] == ORDER.body


async def test_a_rejection_names_the_fields_and_repeats_no_value() -> None:
    async with sandboxed() as (client, state):
        state.switches.reject = ["1001"]
        outcome = await client.push(ORDER)
    assert (outcome.kind, outcome.status, outcome.reason) == (OutcomeKind.REJECTED, 400, "http_400")
    assert [str(violation) for violation in outcome.violations] == ["id: Rejected by a switch"]


@pytest.mark.parametrize(
    ("switch", "kind", "reason"),
    [
        ({"unauthorized": True}, OutcomeKind.REFUSED, "http_401"),
        ({"forbidden": True}, OutcomeKind.REFUSED, "http_403"),
        ({"throttle": 1}, OutcomeKind.THROTTLED, "http_429"),
        ({"outage": True}, OutcomeKind.UNAVAILABLE, "http_503"),
        ({"error_rate": 1.0}, OutcomeKind.UNAVAILABLE, "http_500"),
        ({"cut": 1}, OutcomeKind.UNKNOWN, "cut"),
    ],
)
async def test_each_trouble_of_the_sandbox_has_its_outcome(
    switch: dict[str, Any], kind: OutcomeKind, reason: str
) -> None:
    async with sandboxed() as (client, state):
        assert state.switches.change({**switch, "retry_after": 7}) is None
        outcome = await client.push(ORDER)
        assert (outcome.kind, outcome.reason) == (kind, reason)
        assert outcome.retry_after == (7 if reason in ("http_429", "http_503") else None)
        assert SECRET not in repr(outcome)


async def test_silence_is_an_unknown_outcome_although_the_order_was_taken() -> None:
    async with sandboxed(timeout=0.3) as (client, state):
        state.switches.hang = 1
        outcome = await client.push(ORDER)
        assert (outcome.kind, outcome.reason) == (OutcomeKind.UNKNOWN, "timeout")
        assert "1001" in state.orders
        assert (await client.push(ORDER)).kind is OutcomeKind.ACCEPTED


async def test_an_answer_that_trickles_for_ever_is_cut_off() -> None:
    async def trickle(_: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: 1000\r\n\r\n")
        while not writer.transport.is_closing():
            writer.write(b" ")
            await asyncio.sleep(0.02)

    outcome = await pushed(trickle, timeout=0.1)
    assert (outcome.kind, outcome.reason) == (OutcomeKind.UNKNOWN, "timeout")


async def test_a_cancelled_push_leaves_the_client_usable() -> None:
    async with sandboxed(max_connections=1) as (client, state):
        state.switches.hang = 1
        for _ in range(3):
            push = asyncio.create_task(client.push(ORDER))
            await until(lambda: bool(state.in_flight))
            push.cancel()
            await asyncio.wait([push])
            assert push.cancelled()
            state.switches.hang = 1
            await until(lambda: state.in_flight.total() >= 1)
        state.switches.hang = 0
        assert (await client.push(ORDER)).kind is OutcomeKind.ACCEPTED


async def test_a_refused_connection_surely_sent_nothing() -> None:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        async with client_of(f"http://127.0.0.1:{free.getsockname()[1]}") as client:
            outcome = await client.push(ORDER)
    assert (outcome.kind, outcome.status, outcome.reason) == (OutcomeKind.UNAVAILABLE, None, "connect")


async def close(_: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    """Close without a word."""


async def reset(_: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    """End with an RST."""
    sock = writer.get_extra_info("socket")
    sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    writer.transport.abort()


async def half_an_answer(_: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    writer.write(b'HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\n{"message"')
    await writer.drain()


async def no_http(_: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    writer.write(b"SSH-2.0-OpenSSH_9.2\r\n")
    await writer.drain()


@pytest.mark.parametrize(
    ("handler", "reason"), [(close, "cut"), (reset, "cut"), (half_an_answer, "cut"), (no_http, "protocol")]
)
async def test_a_connection_that_breaks_after_sending_is_an_unknown_outcome(handler: Handler, reason: str) -> None:
    outcome = await pushed(handler)
    assert (outcome.kind, outcome.status, outcome.reason) == (OutcomeKind.UNKNOWN, None, reason)


async def test_an_endless_answer_is_read_only_up_to_a_bound() -> None:
    written = 0

    async def flood(_: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        nonlocal written
        writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: 1000000000\r\n\r\n")
        while not writer.transport.is_closing():
            writer.write(b"x" * 65536)
            written += 65536
            await writer.drain()

    outcome = await pushed(flood)
    assert (outcome.kind, outcome.reason) == (OutcomeKind.UNKNOWN, "bad_answer")
    assert written < 100_000_000


async def test_redirects_are_not_followed() -> None:
    outcome = await pushed(saying("307 Temporary Redirect", b"", "Location: http://127.0.0.1:9/"))
    assert (outcome.kind, outcome.status, outcome.reason) == (OutcomeKind.UNAVAILABLE, 307, "http_307")


async def test_requests_are_told_to_the_observer() -> None:
    told: list[tuple[str, str]] = []
    seconds: list[float] = []

    def listen(method: str, code: str, taken: float) -> None:
        told.append((method, code))
        seconds.append(taken)

    async with sandboxed(on_request=listen) as (client, state):
        await client.push(ORDER)
        await client.read(at("1001"))
        state.switches.cut = 1
        await client.push(ORDER)
    assert told == [("POST", "200"), ("GET", "200"), ("POST", "cut")]
    assert all(0 < taken < 60 for taken in seconds)


async def test_a_request_is_these_bytes_each_time_whatever_was_answered_before() -> None:
    seen: list[bytes] = []

    def script(order_id: str, request: bytes) -> bytes:
        seen.append(request)
        return said(200, b"{}", "Set-Cookie: session=1", "Location: /elsewhere", "Alt-Svc: h3=:443")

    async with serving(script) as server, client_of(f"{server.url}/v2.2/%e4%2F?a=b c%20d") as client:
        for _ in range(2):
            await client.push(ORDER)
    host = server.url.removeprefix("http://")
    head = (
        f"POST /v2.2/%e4%2F?a=b%20c%20d/stores/s/custom/orders HTTP/1.1\r\nHost: {host}\r\n"
        f"Authorization: Bearer {SECRET}\r\nUser-Agent: redo-connector/0.1.0\r\nAccept: application/json\r\n"
        f"Accept-Encoding: identity\r\nContent-Type: application/json\r\nContent-Length: {len(ORDER.body)}\r\n\r\n"
    )
    assert seen == [head.encode() + ORDER.body] * 2


@pytest.mark.parametrize("order_id", ["1001", "#1001", "A/B", "a b", "50%", "é", "a?b=c", "..x"])
async def test_any_order_id_is_read_back_and_deleted(order_id: str) -> None:
    async with sandboxed() as (client, state):
        await client.push(order_of(document(id=order_id)))
        answer = await client.read(at(order_id))
        assert answer.order is not None
        assert answer.order["orderId"] == order_id
        assert (await client.delete(at(order_id))).kind is OutcomeKind.ACCEPTED
        assert state.orders == {}
        absent = await client.read(at(order_id))
        assert (absent.outcome.kind, absent.outcome.reason, absent.order) == (OutcomeKind.ACCEPTED, "absent", None)
        gone = await client.delete(at(order_id))
        assert (gone.kind, gone.reason) == (OutcomeKind.ACCEPTED, "absent")


@pytest.mark.parametrize("order_id", ["", ".", ".."])
async def test_an_id_that_would_be_another_path_is_never_sent(order_id: str) -> None:
    async with sandboxed() as (client, state):
        assert (await client.delete(at(order_id))).reason == "no_address"
        assert (await client.read(at(order_id))).outcome.reason == "no_address"
        assert not state.answers


async def test_a_wrong_store_is_a_refusal_not_an_absent_order() -> None:
    async with sandboxed() as (client, state):
        state.store_id = "other"
        for outcome in (await client.delete(at("1001")), (await client.read(at("1001"))).outcome):
            assert (outcome.kind, outcome.status, outcome.reason) == (OutcomeKind.REFUSED, 404, "http_404")
            assert "redo.store_id" in outcome.message


@pytest.mark.parametrize("status", ["201 Created", "204 No Content", "200 OK"])
async def test_a_deletion_that_is_not_confirmed_as_documented_is_an_unknown_outcome(status: str) -> None:
    body = b"" if status.startswith("204") else b'{"success": %s}' % (b"true" if status.startswith("201") else b"1")
    async with against(saying(status, body)) as client:
        outcome = await client.delete(at("1001"))
    assert (outcome.kind, outcome.reason) == (OutcomeKind.UNKNOWN, "bad_answer")


@pytest.mark.parametrize("status", ["403 Forbidden", "500 Internal Server Error", "422 Unprocessable Content"])
async def test_nothing_that_redo_says_about_an_order_it_holds_is_repeated(status: str) -> None:
    async with against(saying(status, b'{"error": "the order of Grace Hopper"}')) as client:
        outcome = await client.delete(at("1001"))
    assert "Grace" not in repr(outcome)
    assert outcome.message.startswith(status[:3])


@pytest.mark.parametrize("url", ["", "redo", "ftp://x/y", "https://", "https://u:p@host/x", "http://[::1/x"])
def test_an_address_that_cannot_be_used_is_a_configuration_error(url: str) -> None:
    with pytest.raises(ConfigurationError, match="not an HTTP URL"):
        RedoClient({"good": ("https://x/y", SECRET), "bad": (url, SECRET)})


@pytest.mark.parametrize("secret", ["", "two\nlines", "with space", "schlüssel"])
def test_a_secret_that_cannot_be_sent_is_a_configuration_error_without_the_secret(secret: str) -> None:
    with pytest.raises(ConfigurationError) as caught:
        RedoClient({"good": ("https://x/y", SECRET), "bad": ("https://x/y", secret)})
    assert not secret or secret not in str(caught.value)


def test_the_secret_is_in_no_repr() -> None:
    client = RedoClient({"s": ("https://x/y", SECRET)})
    assert SECRET not in repr(client) + repr(client._stores)


async def test_what_one_client_builds_the_sandbox_takes_whatever_the_numbers() -> None:
    async with sandboxed() as (client, _):
        order = order_of(document(lineItems=[line_item(priceSet="0.10", quantity=3)]))
        assert (await client.push(order)).kind is OutcomeKind.ACCEPTED
