"""Connections that break at any byte, and requests that are given up at any moment: what is told is what happened."""

from __future__ import annotations

import asyncio
import random
import ssl
from collections import Counter
from collections.abc import AsyncIterator, Callable, Coroutine
from contextlib import asynccontextmanager, suppress
from dataclasses import replace
from pathlib import Path
from typing import Any, TypeAlias, cast

import pytest
import uvloop

from connector.model.orders import Order, OutcomeKind
from connector.redo.answers import MEANINGS
from tests.support.breaking_redo import breaking_redo
from tests.support.redo_orders import until
from tests.support.redo_servers import Authority, Handler, accepting, client_of, listening, said, serving, small_order

NewLoop: TypeAlias = Callable[[], asyncio.AbstractEventLoop]
BOTH_LOOPS = pytest.mark.parametrize(
    "new_loop", [asyncio.new_event_loop, uvloop.new_event_loop], ids=["asyncio", "uvloop"]
)
NEVER_SENT = {
    row.reason for row in MEANINGS if not row.statuses and row.kind in (OutcomeKind.REFUSED, OutcomeKind.UNAVAILABLE)
}


def run(new_loop: NewLoop, story: Coroutine[Any, Any, None]) -> None:
    with asyncio.Runner(loop_factory=new_loop) as runner:
        runner.run(story)


@pytest.fixture(params=["plain", "tls"])
def tls(request: pytest.FixtureRequest, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> ssl.SSLContext | None:
    if request.param == "plain":
        return None
    authority = Authority(tmp_path)
    monkeypatch.setenv("SSL_CERT_FILE", str(authority.file))
    return authority.server()


def check_what_is_told(new_loop: NewLoop, tls: ssl.SSLContext | None, pushes: int) -> None:
    told: dict[str, str] = {}

    async def push_all(port: int) -> None:
        async with client_of(f"{'https' if tls else 'http'}://localhost:{port}", timeout=10.0) as client:

            async def push_some(numbers: range) -> None:
                for number in numbers:
                    told[str(number)] = (await client.push(small_order(str(number)))).reason

            await asyncio.gather(*(push_some(range(start, pushes, 16)) for start in range(16)))

    with breaking_redo(7, tls) as arrived:
        run(new_loop, push_all(arrived.port))
    reasons = Counter(told.values())
    assert set(reasons) <= {"http_200", "cut", "connect", "timeout"} | NEVER_SENT, reasons
    assert min(reasons["http_200"], reasons["cut"]) > pushes / 100, reasons
    assert max(arrived.whole.values()) == 1
    for number, reason in told.items():
        if reason in NEVER_SENT:
            assert number not in arrived.whole
        if reason == "http_200":
            assert number in arrived.whole


@BOTH_LOOPS
def test_nothing_that_arrived_is_told_as_never_sent_and_nothing_is_sent_twice(
    new_loop: NewLoop, tls: ssl.SSLContext | None
) -> None:
    check_what_is_told(new_loop, tls, 1000)


@BOTH_LOOPS
def test_a_long_request_of_one_that_lost_the_right_to_push_meanwhile_never_arrives_whole(
    new_loop: NewLoop, tls: ssl.SSLContext | None
) -> None:
    """A leader that is stopped while the network is slow, and goes on when another one leads."""
    order = replace(small_order("1"), body=b"[" + b"0," * (8 * 1024 * 1024) + b"0]")
    arrived = bytearray()

    async def story() -> None:
        ended, answers = asyncio.Event(), iter((True, False))

        async def read_all(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            with suppress(ConnectionError):
                while piece := await reader.read(1 << 20):
                    arrived.extend(piece)
            writer.close()
            with suppress(ConnectionError, ssl.SSLError):
                await writer.wait_closed()
            ended.set()

        async def permit() -> bool:
            return next(answers)

        server = await asyncio.start_server(read_all, "127.0.0.1", 0, ssl=tls)
        base_url = f"{'https' if tls else 'http'}://localhost:{server.sockets[0].getsockname()[1]}"
        async with server, client_of(base_url, permit=permit) as client:
            outcome = await client.push(order)
            await ended.wait()
        assert (outcome.kind, outcome.reason) == (OutcomeKind.UNKNOWN, "cut")
        assert next(answers, None) is None

    run(new_loop, story())
    of_the_body = len(arrived.partition(b"\r\n\r\n")[2])
    assert 0 < of_the_body < len(order.body)


@pytest.mark.long
@BOTH_LOOPS
def test_nothing_that_arrived_is_told_as_never_sent_in_many_pushes(
    new_loop: NewLoop, tls: ssl.SSLContext | None
) -> None:
    check_what_is_told(new_loop, tls, 20_000)


LONG = replace(small_order("1"), body=b'{"id": "1", "note": "' + b"x" * 20_000_000 + b'"}')


@asynccontextmanager
async def watched(handler: Handler) -> AsyncIterator[tuple[str, list[int]]]:
    """A server that does as the handler does, then reads to the end: its address, and for each connection that ended
    the bytes that came after the handler."""
    ended: list[int] = []
    done: list[asyncio.Task[None]] = []

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        done.append(cast("asyncio.Task[None]", asyncio.current_task()))
        late = 0
        with suppress(OSError, asyncio.IncompleteReadError):
            await handler(reader, writer)
            while data := await reader.read(65536):
                late += len(data)
        ended.append(late)
        writer.transport.abort()

    async with listening(serve) as address:
        yield address, ended
        await asyncio.wait(done, timeout=10)
        await asyncio.sleep(0)


async def silent(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    await reader.read(1)


async def half_answered(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    await reader.readuntil(b"\r\n\r\n")
    writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\n{")


@BOTH_LOOPS
@pytest.mark.parametrize(
    ("scheme", "proxied", "order", "handler"),
    [
        ("https", False, small_order("1"), silent),  # in the handshake
        ("https", True, small_order("1"), silent),  # while the proxy opens the tunnel
        ("http", False, LONG, silent),  # while the body is sent
        ("http", False, small_order("1"), half_answered),  # while the answer is read
    ],
    ids=["handshake", "tunnel", "sending", "reading"],
)
def test_a_request_that_is_given_up_ends_its_connection_and_the_client_goes_on(
    new_loop: NewLoop, scheme: str, proxied: bool, order: Order, handler: Handler
) -> None:
    async def story() -> None:
        reached, given_up = asyncio.Event(), asyncio.Event()

        async def handle(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            await handler(reader, writer)
            reached.set()
            await given_up.wait()

        async with watched(handle) as (address, ended):
            url = f"{scheme}://{'redo.example.com' if proxied else address}"
            http: dict[str, Any] = {"proxy": (lambda _: f"http://{address}") if proxied else (lambda _: None)}
            async with client_of(url, max_connections=1, **http) as client:
                for turn in range(1, 4):
                    reached.clear()
                    given_up.clear()
                    push = asyncio.create_task(client.push(order))
                    await asyncio.wait_for(reached.wait(), 10)
                    push.cancel()
                    await asyncio.wait([push])
                    given_up.set()
                    assert push.cancelled()
                    await until(lambda turn=turn: len(ended) == turn)  # type: ignore[misc]
        assert max(ended) < len(LONG.body)

    run(new_loop, story())


@BOTH_LOOPS
def test_requests_that_are_given_up_at_any_moment_leave_no_connection_that_is_not_at_rest(
    new_loop: NewLoop, tls: ssl.SSLContext | None
) -> None:
    chance = random.Random(7)  # noqa: S311 -- a test's

    async def story(port: int) -> None:
        async with client_of(f"{'https' if tls else 'http'}://localhost:{port}", max_connections=8) as client:

            async def give_up(number: int) -> bool:
                push = asyncio.create_task(client.push(small_order(str(number))))
                await asyncio.sleep(chance.uniform(0, 0.02) * chance.random())
                push.cancel()
                await asyncio.wait([push])
                return push.cancelled()

            given_up = await asyncio.gather(*(give_up(number) for number in range(400)))
            assert sum(given_up) > 20
            numbers = range(1000, 1100)
            outcomes = await asyncio.gather(*(client.push(small_order(str(number))) for number in numbers))
            assert {outcome.reason for outcome in outcomes} == {"http_200"}

    with breaking_redo(7, tls, breaks=False) as arrived:
        run(new_loop, story(arrived.port))
    assert max(arrived.whole.values()) == 1


@BOTH_LOOPS
def test_an_answer_before_all_was_sent_counts_and_ends_the_connection(new_loop: NewLoop) -> None:
    async def refuse(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        writer.write(said(413, b'{"error": "too large"}'))

    async def story() -> None:
        async with watched(refuse) as (address, ended), client_of(f"http://{address}") as client:
            for turn in range(1, 3):
                outcome = await client.push(LONG)
                assert (outcome.kind, outcome.status) == (OutcomeKind.REJECTED, 413)
                await until(lambda turn=turn: len(ended) == turn)  # type: ignore[misc]
        assert max(ended) < len(LONG.body)

    run(new_loop, story())


@BOTH_LOOPS
def test_a_success_before_all_was_sent_is_no_success_of_this_order(new_loop: NewLoop) -> None:
    async def accept_unread(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        writer.write(accepting(LONG.order_id))

    async def story() -> None:
        async with watched(accept_unread) as (address, _), client_of(f"http://{address}") as client:
            outcome = await client.push(LONG)
            assert (outcome.kind, outcome.reason) == (OutcomeKind.UNKNOWN, "protocol")

    run(new_loop, story())


@BOTH_LOOPS
@pytest.mark.parametrize("surplus", [b"x", said(200, b"{}"), said(408)])
def test_what_comes_without_being_asked_for_is_nobodys_answer(new_loop: NewLoop, surplus: bytes) -> None:
    async def story() -> None:
        async with serving(lambda order_id, _: accepting(order_id) + surplus) as seen, client_of(seen.url) as client:
            for number in range(5):
                assert (await client.push(small_order(str(number)))).kind is OutcomeKind.ACCEPTED
        assert seen.connections == 5
        await until(lambda: seen.closed == 5)

    run(new_loop, story())


@BOTH_LOOPS
def test_a_request_whose_connection_is_opened_while_the_client_is_closed_is_never_sent(new_loop: NewLoop) -> None:
    async def story() -> None:
        async with watched(silent) as (address, ended), client_of(f"http://{address}", timeout=2.0) as client:
            push = asyncio.create_task(client.push(small_order("1")))
            await asyncio.sleep(0)  # now it looks up the host's address
            await client.aclose()
            assert (await push).reason == "connect"
            await until(lambda: ended == [0])

    run(new_loop, story())
