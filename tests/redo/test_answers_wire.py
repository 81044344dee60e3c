"""Every answer a server can give, over a real socket: none is dropped, none raises, only the contract's accepts."""

from __future__ import annotations

import asyncio
import json
import time
from collections.abc import Sequence
from email.utils import formatdate

import pytest

from connector.model.orders import Outcome, OutcomeKind
from connector.redo.answers import meaning
from connector.redo.client import RedoClient, orders_url
from tests.support.redo_servers import said, serving, small_order

STATUSES = range(200, 600)
BODIES: dict[str, bytes] = {
    "documented": b'{"message": "Order synced successfully", "orderId": "%s", "redoId": "r1"}',
    "problem": b'{"type": "about:blank", "title": "Something is wrong", "status": 500}',
    "html": b"<!doctype html><title>Welcome to the hotel's WiFi</title>",
    "empty": b"",
    "truncated": b'{"message": "Order synced successfully", "orderId": "%s", "redo',
    "another": b'{"message": "Order synced successfully", "orderId": "another", "redoId": "r1"}',
    "giant": b'{"message": "' + b"x" * 70_000 + b'", "orderId": "%s", "redoId": "r1"}',
}


def kind_of(status: int, body: str) -> OutcomeKind:
    """What the contract says."""
    match status:
        case 200:
            return OutcomeKind.ACCEPTED if body == "documented" else OutcomeKind.UNKNOWN
        case _ if status < 300:
            return OutcomeKind.UNKNOWN
        case 400 | 413 | 422:
            return OutcomeKind.REJECTED
        case 401 | 403 | 404:
            return OutcomeKind.REFUSED
        case 429:
            return OutcomeKind.THROTTLED
    return OutcomeKind.UNAVAILABLE


async def answers_to(cases: Sequence[bytes]) -> list[Outcome]:
    """Push one order for each answer; `%s` in an answer's body stands for the order's id."""
    async with serving(lambda order_id, _: cases[int(order_id)]) as seen:
        client = RedoClient(orders_url(seen.url, "s"), "secret", max_connections=8)
        found = await asyncio.gather(*(client.push(small_order(str(number))) for number in range(len(cases))))
        await client.aclose()
    assert seen.requests == len(cases)
    return list(found)


@pytest.mark.parametrize("body", BODIES)
async def test_every_status_with_every_body_means_what_the_table_says(body: str) -> None:
    filled = [BODIES[body].replace(b"%s", str(number).encode()) for number in range(len(STATUSES))]
    kind = "Content-Type: " + ("text/html" if body == "html" else "application/json")
    outcomes = await answers_to([said(status, text, kind) for status, text in zip(STATUSES, filled, strict=True)])
    for status, outcome in zip(STATUSES, outcomes, strict=True):
        expected = kind_of(status, body)
        assert (outcome.kind, outcome.status) == (expected, status)
        assert outcome.reason == ("bad_answer" if expected is OutcomeKind.UNKNOWN else f"http_{status}")
        assert (outcome.redo_id == "r1") == (expected is OutcomeKind.ACCEPTED)
        if expected is not OutcomeKind.ACCEPTED:
            assert outcome.message.startswith(f"{status}: ")
            if status != 200:
                assert meaning(status).sentence in outcome.message


def _waits() -> dict[str, tuple[str, float | None]]:
    now = time.time()
    return {
        "seconds": ("120", 120.0),
        "none": ("0", 0.0),
        "future": (formatdate(now + 300, usegmt=True), 300.0),
        "past": (formatdate(now - 300, usegmt=True), 0.0),
        "garbage": ("in a while", None),
        "negative": ("-5", None),
        "absent": ("", None),
    }


@pytest.mark.parametrize("status", [429, 503])
async def test_every_form_of_a_wait_is_understood_or_passed_over(status: int) -> None:
    waits = _waits()
    cases = [(body, wait) for body in BODIES for wait in waits]
    outcomes = await answers_to(
        [said(status, BODIES[body], *([f"Retry-After: {waits[wait][0]}"] * (wait != "absent"))) for body, wait in cases]
    )
    for (_, wait), outcome in zip(cases, outcomes, strict=True):
        assert outcome.status == status
        expected = waits[wait][1]
        if expected is None:
            assert outcome.retry_after is None
        else:
            assert outcome.retry_after is not None
            assert expected - 30 <= outcome.retry_after <= expected


@pytest.mark.parametrize(
    "answer",
    [
        {"orderId": "0"},
        {"redoId": "r1"},
        {"orderId": "0", "redoId": None},
        {"orderId": "0", "redoId": 7},
        {"orderId": 0, "redoId": "r1"},
        {"orderId": "00", "redoId": "r1"},
        {"order": {"orderId": "0", "redoId": "r1"}},
        [{"orderId": "0", "redoId": "r1"}],
        "0",
        None,
    ],
    ids=json.dumps,
)
async def test_a_success_that_lacks_anything_is_no_acceptance(answer: object) -> None:
    (outcome,) = await answers_to([said(200, json.dumps(answer).encode())])
    assert (outcome.kind, outcome.status, outcome.reason) == (OutcomeKind.UNKNOWN, 200, "bad_answer")


async def test_an_answer_that_claims_more_than_it_brings_is_an_unknown_outcome() -> None:
    whole = said(200, b'{"message": "m", "orderId": "0", "redoId": "r1"}')
    async with serving(lambda *_: whole[:-5], close=True) as seen:
        client = RedoClient(orders_url(seen.url, "s"), "secret")
        outcome = await client.push(small_order("0"))
        await client.aclose()
    assert (outcome.kind, outcome.reason) == (OutcomeKind.UNKNOWN, "cut")


@pytest.mark.parametrize("status", [101, 600, 999])
async def test_an_answer_that_http_does_not_know_is_never_an_acceptance(status: int) -> None:
    body = b'{"message": "m", "orderId": "0", "redoId": "r1"}'
    async with serving(lambda *_: said(status, body), close=True) as seen:
        client = RedoClient(orders_url(seen.url, "s"), "secret")
        outcome = await client.push(small_order("0"))
        await client.aclose()
    assert outcome.kind in (OutcomeKind.UNAVAILABLE, OutcomeKind.UNKNOWN)
    assert outcome.message
