"""Every status with every kind of body over a real socket: none is dropped, none raises, only one accepts."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence

import pytest

from connector.model.orders import Outcome, OutcomeKind
from connector.redo.answers import meaning
from tests.support.redo_servers import client_of, said, serving, small_order

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
    async with (
        serving(lambda order_id, _: cases[int(order_id)]) as seen,
        client_of(seen.url, max_connections=8) as client,
    ):
        found = await asyncio.gather(*(client.push(small_order(str(number))) for number in range(len(cases))))
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


@pytest.mark.parametrize("status", [101, 600, 999])
async def test_an_answer_that_http_does_not_know_is_never_an_acceptance(status: int) -> None:
    body = b'{"message": "m", "orderId": "0", "redoId": "r1"}'
    async with serving(lambda *_: said(status, body), close=True) as seen, client_of(seen.url) as client:
        outcome = await client.push(small_order("0"))
    assert outcome.kind in (OutcomeKind.UNAVAILABLE, OutcomeKind.UNKNOWN)
    assert outcome.message
