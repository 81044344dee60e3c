"""What Redo's answers mean, without a network."""

from __future__ import annotations

import time
from email.utils import formatdate
from typing import Any

import orjson
import pytest

from connector.orders import Outcome, OutcomeKind, Violation
from connector.redo.answers import MOST_VIOLATIONS, Words, pushed, retry_after
from tests.redo_orders import document, order_of

ORDER = order_of(document())
SECRET = "s3cret-Token"


def answer(status: int, body: Any = b"", **headers: str) -> Outcome:
    raw = body if isinstance(body, bytes) else orjson.dumps(body)
    return pushed(status, headers, raw, ORDER.order_id, Words(ORDER.body, (SECRET,)))


@pytest.mark.parametrize(
    ("status", "kind"),
    [
        (200, OutcomeKind.UNKNOWN),
        (204, OutcomeKind.UNKNOWN),
        (301, OutcomeKind.UNAVAILABLE),
        (400, OutcomeKind.REJECTED),
        (401, OutcomeKind.REFUSED),
        (403, OutcomeKind.REFUSED),
        (404, OutcomeKind.REFUSED),
        (405, OutcomeKind.UNAVAILABLE),
        (408, OutcomeKind.UNAVAILABLE),
        (413, OutcomeKind.REJECTED),
        (418, OutcomeKind.UNAVAILABLE),
        (422, OutcomeKind.REJECTED),
        (429, OutcomeKind.THROTTLED),
        (500, OutcomeKind.UNAVAILABLE),
        (503, OutcomeKind.UNAVAILABLE),
    ],
)
@pytest.mark.parametrize("body", [b"", b"<html>", b"[" * 5000, b"null", b"\xff"])
def test_every_status_has_a_kind_whatever_its_body(status: int, kind: OutcomeKind, body: bytes) -> None:
    outcome = answer(status, body)
    assert (outcome.kind, outcome.status) == (kind, status)
    assert outcome.reason == ("bad_answer" if status < 300 else f"http_{status}")


def test_errors_become_violations_by_path_however_they_mirror_the_body() -> None:
    errors = {
        "id": "Required",
        "customer": {"email": ["Invalid email", "Too short"]},
        "lineItems": [None, {"quantity": "Expected number"}],
        "refunds": {"0": {"lineItems": {"_errors": ["Too many"]}}},
        "any key, which is data": {"x": "Wrong"},
    }
    assert answer(400, {"error": "Invalid", "errors": errors}).violations == (
        Violation("id", "Required"),
        Violation("customer.email", "Invalid email"),
        Violation("customer.email", "Too short"),
        Violation("lineItems[1].quantity", "Expected number"),
        Violation("refunds[0].lineItems", "Too many"),
        Violation("?.x", "Wrong"),
    )


def test_endless_errors_are_bounded() -> None:
    found = answer(400, {"error": "e", "errors": {"lineItems": ["wrong"] * 1000}}).violations
    assert len(found) == MOST_VIOLATIONS


@pytest.mark.parametrize(
    "said", ["ada@example.com is taken", "No such city: LEHI", f"bad token {SECRET}", "sku S1 of Mug", "zip 84043"]
)
@pytest.mark.parametrize("status", [400, 401, 403, 500])
def test_words_that_quote_the_order_or_the_secret_are_left_out(status: int, said: str) -> None:
    outcome = answer(status, {"error": said, "errors": {"customer": {"email": said}}})
    assert said not in repr(outcome)
    assert "left out" in outcome.message


def test_other_words_are_kept_on_one_line_and_bounded() -> None:
    outcome = answer(500, {"error": "Failed to\nprocess order " + "x" * 1000})
    assert outcome.message.startswith("500: Failed to process order")
    assert len(outcome.message) < 400


def test_problem_details_are_shown_too() -> None:
    outcome = answer(403, {"type": "about:blank", "title": "Forbidden", "detail": "Missing scope orders_write"})
    assert outcome.message.startswith("403: Missing scope orders_write; ")


@pytest.mark.parametrize(("status", "setting"), [(401, "api_secret"), (403, "store_id"), (404, "base_url")])
def test_a_refusal_says_which_setting_to_check(status: int, setting: str) -> None:
    assert f"redo.{setting}" in answer(status).message


@pytest.mark.parametrize("status", [408, 429, 500, 503])
def test_the_wait_that_redo_asks_for_is_kept(status: int) -> None:
    assert answer(status, b"", **{"retry-after": "120"}).retry_after == 120


def test_a_wait_is_read_from_seconds_and_from_a_date() -> None:
    assert retry_after("0") == 0
    soon = retry_after(formatdate(time.time() + 90, usegmt=True))
    assert soon is not None
    assert 85 < soon <= 90
    assert retry_after(formatdate(time.time() - 90, usegmt=True)) == 0


@pytest.mark.parametrize("value", [None, "", "soon", "-1", "9" * 400, "1.5", "Wed, 99 Nov 2026 00:00:00 GMT"])
def test_a_wait_that_cannot_be_read_is_none(value: str | None) -> None:
    assert retry_after(value) is None
