"""Whatever answers in Redo's place: all its text can be kept and shown, none ends anything, none keeps the loop."""

from __future__ import annotations

import asyncio
import contextlib
import json
import time
from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import pytest

from connector.model.orders import Outcome, OutcomeKind, Place
from connector.model.texts import is_storable
from connector.redo.answers import (
    LONGEST_ID,
    LONGEST_WAIT,
    MOST_VIOLATIONS,
    Answer,
    deleted,
    pushed,
    read_back,
    retry_after,
    unexpected,
)
from connector.redo.content_encoding import Incomplete, Undecodable, decoded
from connector.redo.readback import differences_to_readback
from connector.redo.redaction import LARGE, LONGEST_MESSAGE, Redactor
from tests.support.redo_orders import document, order_of
from tests.support.redo_servers import client_of, listening, small_order

ORDER = order_of(document())
TEXTS = [
    "\0",
    "\ud800",
    "\udfff\ud800",
    "a\0b\x1b[2J\n\r\x7f\x85",
    "\u202e\u200b\u2066\ufeff",
    "\U0010ffff",
    "x" * 60_000,
    "[" * 3000,
    " " * 60_000,
    "@" * 60_000,
    "1 " * 30_000,
    "\\u0000\\ud800" * 3000,
    "%00%ed%a0%80" * 3000,
    "&#0;&#xd800;" * 3000,
    "a\u0301" * 20_000,
    "",
]
BODIES: list[bytes] = [
    b"",
    b"\0",
    b"\xff\xfe\xed\xa0\x80",
    b"[" * 65_536,
    b'{"error":' * 7000,
    b'{"a":' * 3000 + b"1" + b"}" * 3000,
    b'{"error": ' + b"9" * 60_000 + b"}",
    b'{"error": NaN, "redoId": Infinity, "orderId": -Infinity}',
    b'{"error": 1e999999999}',
    b"null",
    b'"\\ud800"',
    json.dumps({"errors": ["x"] * 12_000}).encode(),
    json.dumps({"errors": {str(at): {str(at): "x"} for at in range(3000)}}).encode(),
    b'{"errors": ' + b"[" * 900 + b'"x"' + b"]" * 900 + b"}",
    b'{"errors": ' + b'{"_errors":' * 900 + b'"x"' + b"}" * 900 + b"}",
    b'{"errors": {"lineItems": {"9999999999999999999999": "x", "\\u0660": "y", "-1": "z", "1e3": "q"}}}',
    b"\xef\xbb\xbf{}",
    '{"error": "x"}'.encode("utf-16"),
    *(
        json.dumps({name: text, "errors": {text: text, "tags": [text]}}).encode()
        for text in TEXTS
        for name in ("error", "detail", "title")
    ),
]
STATUSES = (100, 200, 201, 204, 301, 400, 401, 403, 404, 408, 413, 418, 422, 429, 500, 503, 599, 600, 999)


def told(outcome: Outcome) -> Iterator[str]:
    yield outcome.message
    yield outcome.reason
    yield outcome.redo_id or ""
    yield from (str(violation) for violation in outcome.violations)


def is_fit(outcome: Outcome) -> bool:
    assert len(outcome.violations) <= MOST_VIOLATIONS
    return all(is_storable(text) and len(text) < 2 * LONGEST_MESSAGE + 300 for text in told(outcome))


@pytest.mark.parametrize("status", STATUSES)
def test_no_body_makes_an_answer_unreadable_or_leaves_text_that_cant_be_kept(status: int) -> None:
    for body in BODIES:
        answer = Answer(status, {"retry-after": "\ud800"}, body)
        assert is_fit(pushed(answer, ORDER.order_id, Redactor(ORDER.body, ["hush-hush"])))
        assert is_fit(deleted(answer))
        found = read_back(answer)
        assert is_fit(found.outcome)
        if found.order is not None:
            differences_to_readback(ORDER.body, found.order)


@pytest.mark.parametrize("redo_id", [text for text in TEXTS if text], ids=range(len(TEXTS) - 1))
def test_a_redo_id_that_is_no_identifier_is_not_kept_and_the_order_counts_as_taken(redo_id: str) -> None:
    body = json.dumps({"message": "m", "orderId": "7", "redoId": redo_id}).encode()
    outcome = pushed(Answer(200, {}, body), "7", Redactor(ORDER.body, []))
    kept = redo_id if redo_id.isprintable() and len(redo_id) <= LONGEST_ID else None
    assert (outcome.kind, outcome.redo_id) == (OutcomeKind.ACCEPTED, kept)


def test_only_identifiers_are_kept() -> None:
    for redo_id, kept in (
        ("ord_7-\u00e9", True),
        ("x" * 200, True),
        ("x" * 201, False),
        ("a\nb", False),
        ("\u202e", False),
    ):
        body = json.dumps({"orderId": "7", "redoId": redo_id}).encode()
        assert (pushed(Answer(200, {}, body), "7", Redactor(None, [])).redo_id is not None) == kept


@pytest.mark.parametrize(
    "value", [*TEXTS, "9" * 5000, "-1", "1e9", "NaN", "Mon, 99 Foo 99999 99:99:99 +9999", "0;" * 30_000]
)
def test_a_retry_after_that_is_none_is_none_or_seconds(value: str) -> None:
    began = time.thread_time()
    seconds = retry_after({"retry-after": value, "date": value})
    assert seconds is None or 0 <= seconds <= LONGEST_WAIT
    assert time.thread_time() - began < 0.05


@pytest.mark.parametrize("coding", [*TEXTS, "gzip," * 20_000, "gzip, deflate", "br"])
def test_a_content_coding_that_is_none_is_told_by_a_name_of_ours(coding: str) -> None:
    said = ""
    with contextlib.suppress(Incomplete):
        try:
            decoded(b"\x1f\x8b" + b"\xff" * 1000, coding, 1000)
        except Undecodable as error:
            said = str(error)
    assert is_fit(unexpected(200, said))


WIRE = [
    b"",
    b"\0" * 1000,
    b"HTTP/1.1 999 \xff\xfe\r\nContent-Length: 2\r\n\r\n{}",
    b"HTTP/1.1 000 x\r\nContent-Length: 0\r\n\r\n",
    b"HTTP/9.9 200 OK\r\n\r\n",
    b"HTTP/1.1 200 " + b"x" * 1_000_000,
    b"HTTP/1.1 200 OK\r\n" + b"A: b\r\n" * 50_000 + b"\r\n",
    b"HTTP/1.1 200 OK\r\nX: " + b"\xff" * 50_000 + b"\r\nContent-Length: 2\r\n\r\n{}",
    b"HTTP/1.1 200 OK\r\nContent-Length: " + b"9" * 5000 + b"\r\n\r\n{}",
    b"HTTP/1.1 200 OK\r\nContent-Length: -1\r\n\r\n{}",
    b"HTTP/1.1 200 OK\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\n{}",
    b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nFFFFFFFFFFFFFFFFFFFF\r\n",
    b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n" + b"1\r\n[\r\n" * 20_000 + b"0\r\n\r\n",
    b"HTTP/1.1 200 OK\r\nContent-Encoding: \xff\r\nContent-Length: 2\r\n\r\n{}",
    b"HTTP/1.1 503 \0\r\nRetry-After: \xff\xfe\r\nContent-Length: 0\r\n\r\n",
    b"HTTP/1.1 100 Continue\r\n\r\n" * 5000,
    b"HTTP/1.1 301 Moved\r\nLocation: \xff\x00\r\nContent-Length: 0\r\n\r\n",
    *(b"HTTP/1.1 422 No\r\nContent-Length: %d\r\n\r\n%s" % (len(body), body) for body in BODIES),
    *(b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n%s" % (len(body), body) for body in BODIES[:20]),
]


async def test_nothing_on_the_wire_is_more_than_an_outcome() -> None:
    wire = b""

    async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            await reader.readuntil(b"\r\n\r\n")
            writer.write(wire)
            await writer.drain()
            writer.close()
        except (ConnectionError, asyncio.IncompleteReadError):
            pass

    async with listening(answer) as where, client_of(f"http://{where}", timeout=5.0) as client:
        for wire in WIRE:  # noqa: B007 -- the server's answer
            outcome = await client.push(small_order("7"))
            assert outcome.kind is not OutcomeKind.ACCEPTED
            assert is_fit(outcome)
            assert is_fit((await client.read(Place("", "7"))).outcome)


async def test_masking_a_message_about_a_large_order_is_no_work_of_the_loop() -> None:
    """Counted in the thread's own processor time: what else the machine does makes no difference."""
    words = " ".join(f"w{at}ord{at}" for at in range(6000))
    body = json.dumps({"error": words, "errors": [f"w{at}x" for at in range(3000)]}).encode()
    head = b"HTTP/1.1 422 No\r\nContent-Length: %d\r\n\r\n" % len(body)

    async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        size = int((await reader.readuntil(b"\r\n\r\n")).lower().split(b"content-length: ")[1].split(b"\r\n")[0])
        await reader.readexactly(size)
        writer.write(head + body)
        writer.close()

    large: dict[str, Any] = {"id": "7", "note": " ".join(f"q{at * 7919}z" for at in range(22_000))}
    order = replace(small_order("7"), body=json.dumps(large).encode())
    assert 200_000 < len(order.body) < LARGE
    async with listening(answer) as where, client_of(f"http://{where}", timeout=20.0) as client:
        await client.push(small_order("7"))
        before, whole = time.thread_time(), time.process_time()
        outcome = await client.push(order)
        spent, whole = time.thread_time() - before, time.process_time() - whole
    assert outcome.kind is OutcomeKind.REJECTED
    assert spent < max(0.05, whole / 2)


NESTED: Any = json.loads("[" * 900 + "]" * 900)
VALUES: list[Any] = [*TEXTS, NESTED, {"a": NESTED}, None, True, -1, 10**4000, "9" * 5000, "1e999999", "NaN", "sNaN", []]


def odd_answers() -> Iterator[dict[str, Any]]:
    line = {"id": "1", "quantity": 1, "price": 1, "discount": 0}
    for odd in VALUES:
        for name in (
            "orderId",
            "createdAt",
            "tags",
            "currencyCode",
            "shipping",
            "customer",
            "lineItems",
            "fulfillments",
        ):
            yield {name: odd}
            yield {name: [odd, {"id": odd}]}
        for name in ("id", "email", "phoneNumber", "firstName"):
            yield {"customer": {name: odd}, "billingAddress": {"city": odd, "country": odd}}
        yield {"shipping": {"method": odd, "cost": odd, "address": odd}}
        yield {"shipping": {"address": {"address1": odd, "province": odd}}}
        yield {
            "lineItems": [{**line, "id": odd}, {**line, "quantity": odd, "price": odd, "discount": odd, "title": odd}]
        }
        shipped = {
            "id": "f1",
            "deliveredAt": odd,
            "trackingNumber": odd,
            "lineItems": [{"id": odd, "quantity": odd}, odd],
        }
        yield {"fulfillments": [shipped, odd]}


def test_an_order_read_back_is_compared_whatever_it_holds_and_told_by_paths_that_can_be_printed() -> None:
    for answer in odd_answers():
        for path in differences_to_readback(ORDER.body, answer):
            assert is_storable(path)
            assert len(path) < 400
