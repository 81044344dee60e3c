"""What Redo's answers mean, without a network."""

from __future__ import annotations

import json
import re
import time
from email.utils import formatdate
from typing import Any

import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st

from connector.model.orders import Outcome, OutcomeKind, Violation
from connector.redo.answers import LONGEST_WAIT, MEANINGS, MOST_VIOLATIONS, Answer, pushed, retry_after
from connector.redo.answers import UNDOCUMENTED as UNDOCUMENTED_ROW
from connector.redo.redaction import Redactor
from tests.support.redo_orders import document, order_of

ORDER = order_of(document())
SECRET = "s3cret-Token"


def json_trees(below: st.SearchStrategy[Any]) -> st.SearchStrategy[Any]:
    keys = st.sampled_from(["error", "errors", "lineItems", "_errors", "0", "redoId", "orderId"]) | st.text(max_size=4)
    return st.lists(below, max_size=4) | st.dictionaries(keys, below, max_size=4)


def as_json(value: Any) -> bytes:
    return json.dumps(value).encode()


def answer(status: int, body: Any = b"", **headers: str) -> Outcome:
    raw = body if isinstance(body, bytes) else orjson.dumps(body)
    return pushed(Answer(status, headers, raw), ORDER.order_id, Redactor(ORDER.body, (SECRET,)))


UNDOCUMENTED = (
    *range(100, 200),
    *range(300, 400),
    402,
    405,
    406,
    407,
    409,
    410,
    411,
    412,
    414,
    415,
    416,
    417,
    418,
    421,
)


def kind_of(status: int) -> OutcomeKind:
    """What the contract says about a status whose body says nothing."""
    match status:
        case _ if 200 <= status < 300:
            return OutcomeKind.UNKNOWN
        case 400 | 413 | 422:
            return OutcomeKind.REJECTED
        case 401 | 403 | 404:
            return OutcomeKind.REFUSED
        case 429:
            return OutcomeKind.THROTTLED
    return OutcomeKind.UNAVAILABLE


@pytest.mark.parametrize(
    "body", [b"", b"<html>", b"[" * 5000, b"null", b"\xff", b'{"errors": ' * 900 + b"1" + b"}" * 900]
)
def test_every_status_has_a_kind_whatever_its_body(body: bytes) -> None:
    for status in range(100, 600):
        outcome = answer(status, body)
        assert (outcome.kind, outcome.status) == (kind_of(status), status)
        assert outcome.reason == ("bad_answer" if 200 <= status < 300 else f"http_{status}")
        assert outcome.message.startswith(f"{status}: ")
        assert len(outcome.message) > 20


@pytest.mark.parametrize("status", UNDOCUMENTED)
def test_an_answer_that_is_not_documented_says_so(status: int) -> None:
    assert "not an answer that Redo documents" in answer(status).message


def test_each_row_of_the_table_says_what_happened_and_where_to_look() -> None:
    for row in (*MEANINGS, UNDOCUMENTED_ROW):
        assert len(row.sentence) > 15
        if row.kind not in (OutcomeKind.ACCEPTED, OutcomeKind.THROTTLED):
            assert re.search("check|look at|mend|leave out|add ", row.sentence), row


def test_no_status_or_reason_stands_in_two_rows() -> None:
    statuses = [status for row in MEANINGS for status in row.statuses]
    reasons = [row.reason for row in MEANINGS if not row.statuses]
    assert len(statuses) == len(set(statuses))
    assert len(reasons) == len(set(reasons))


@pytest.mark.parametrize(
    "body",
    [
        {"orderId": "1001"},
        {"redoId": "r1"},
        {"orderId": 1001, "redoId": "r1"},
        {"orderId": "01001", "redoId": "r1"},
        *({"orderId": "1001", "redoId": redo_id} for redo_id in ("", None, 7, ["r"])),
        {"order": {"orderId": "1001", "redoId": "r1"}},
        [{"orderId": "1001", "redoId": "r1"}],
        "1001",
        None,
    ],
    ids=json.dumps,
)
def test_a_success_that_lacks_anything_is_no_acceptance(body: Any) -> None:
    outcome = answer(200, {"message": "m"} | body if isinstance(body, dict) else as_json(body))
    assert (outcome.kind, outcome.status, outcome.reason) == (OutcomeKind.UNKNOWN, 200, "bad_answer")


def test_errors_become_violations_by_path_however_they_mirror_the_body() -> None:
    errors = {
        "id": "Required",
        "customer": {"email": ["Invalid email", "Too short"]},
        "lineItems": [None, {"quantity": "Expected number"}],
        "orderDiscounts": {"0": "Wrong"},
        "fulfillments": "Wrong",
        "shippingAddress": {"zip": {"_errors": ["Too long"]}},
        "tags": {"84043": "Wrong"},
        "any key, which is data": {"sku": "Wrong"},
        "Byron": {"0": "Wrong"},
    }
    assert answer(400, {"error": "Invalid", "errors": errors}).violations == (
        Violation("id", "Required"),
        Violation("customer.email", "Invalid email"),
        Violation("customer.email", "Too short"),
        Violation("lineItems[1].quantity", "Expected number"),
        Violation("orderDiscounts.?", "Wrong"),
        Violation("fulfillments", "Wrong"),
        Violation("shippingAddress.zip", "Too long"),
        Violation("tags.?", "Wrong"),
        Violation("?.sku", "Wrong"),
        Violation("?.?", "Wrong"),
    )


def test_a_list_may_be_mirrored_as_an_object_too() -> None:
    errors = {"lineItems": {"0": {"priceSet": "Wrong"}, "1": {"sku": "Wrong"}}}
    assert answer(400, {"error": "Invalid", "errors": errors}).violations == (
        Violation("lineItems[0].priceSet", "Wrong"),
        Violation("lineItems.?.sku", "Wrong"),
    )


def test_endless_errors_are_bounded() -> None:
    found = answer(400, {"error": "e", "errors": {"lineItems": ["wrong"] * 1000}}).violations
    assert len(found) == MOST_VIOLATIONS


def test_words_that_quote_the_order_are_masked_in_message_and_violations() -> None:
    said = "No such city: LEHI"
    outcome = answer(400, {"error": said, "errors": {"shippingAddress": {"city": said}}})
    assert outcome.message.startswith("400: No such city: …; ")
    assert outcome.violations == (Violation("shippingAddress.city", "No such city: …"),)


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


def wait(value: str | None, date: str | None = None) -> float | None:
    given = {"retry-after": value, "date": date}
    return retry_after({name: text for name, text in given.items() if text is not None})


def test_a_wait_is_read_from_seconds_and_from_a_date() -> None:
    assert (wait("0"), wait(" 7 "), wait("1.5"), wait("9" * 400)) == (0, 7, 1.5, LONGEST_WAIT)
    soon = wait(formatdate(time.time() + 90, usegmt=True))
    assert soon is not None
    assert 85 < soon <= 90
    assert wait(formatdate(time.time() - 90, usegmt=True)) == 0
    last = wait("Fri, 31 Dec 9999 23:59:59 GMT")
    assert last == LONGEST_WAIT


@pytest.mark.parametrize("wrong", [-86_400, 86_400])
def test_a_date_counts_from_the_answers_own_so_that_our_clock_may_be_wrong(wrong: int) -> None:
    sent = time.time() + wrong
    assert wait(formatdate(sent + 90, usegmt=True), formatdate(sent, usegmt=True)) == 90


def test_a_date_without_a_zone_is_utc() -> None:
    soon = wait(formatdate(time.time() + 90, usegmt=True).replace("GMT", "-0000"))
    assert soon is not None
    assert 85 < soon <= 90


@pytest.mark.parametrize(
    "value", [None, "", "soon", "-1", "-0.5", "1e9", "inf", "nan", "0x10", "1,5", "٣", "Wed, 99 Nov 2026 00:00:00 GMT"]
)
def test_a_wait_that_cannot_be_read_is_none(value: str | None) -> None:
    assert wait(value) is None


@given(st.text() | st.from_regex(r"[A-Za-z]{3}, [0-9]{1,9} [A-Za-z]{3} [0-9]{1,9} [0-9:]{1,12} [-+A-Z0-9]{1,9}"))
def test_no_text_of_a_wait_raises(value: str) -> None:
    for found in (wait(value), wait(formatdate(0), value)):
        assert found is None or 0 <= found <= LONGEST_WAIT


@given(st.binary() | st.recursive(st.none() | st.text() | st.integers(), json_trees, max_leaves=20).map(as_json))
def test_no_body_raises(body: bytes) -> None:
    for status in (200, 400, 500):
        assert answer(status, body).status == status
