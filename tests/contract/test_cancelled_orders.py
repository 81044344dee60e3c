"""An accepted order, cancelled because it left the mapping; and orders that the mapping itself cancels."""

from __future__ import annotations

import json
from decimal import Decimal
from typing import Any

import pytest
from hypothesis import given

from connector.contract.canonical import fingerprint
from connector.contract.order_builder import RedoContract
from connector.model.orders import Order, Place
from connector.sandbox.rules import errors_of
from tests.support.redo_orders import (
    SEEN_AT,
    document,
    documents,
    full_document,
    line_item,
    order_of,
    payload_of,
)

CONTRACT = RedoContract()
PLACE = Place("main", "1001")
NOW = SEEN_AT + 3600
MOMENT = "2024-05-01T11:00:00Z"


def cancelled(body: bytes, contract: RedoContract = CONTRACT) -> Order:
    order = contract.cancelled(body, PLACE, NOW)
    assert order is not None
    return order


def live(**changes: Any) -> dict[str, Any]:
    return full_document() | {"cancelledAt": None, "cancelReason": None} | changes


def test_only_the_fields_that_say_so_differ() -> None:
    before, after = payload_of(live()), json.loads(cancelled(order_of(live()).body).body, parse_float=Decimal)
    assert after == before | {"cancelledAt": MOMENT, "cancelReason": "other", "updatedAt": MOMENT}


def test_a_payload_that_has_no_such_fields_gets_them() -> None:
    before, after = payload_of(document()), json.loads(cancelled(order_of(document()).body).body, parse_float=Decimal)
    assert "cancelledAt" not in before
    assert after == before | {"cancelledAt": MOMENT, "cancelReason": "other", "updatedAt": MOMENT}


def test_every_digit_stays_as_redo_accepted_it() -> None:
    row = live()
    row["transactions"][0] |= {
        "amount": Decimal("0.1000000000000000055511151231257827"),
        "big": 2**70,
        "small": Decimal("1.50E-30"),
        "huge": Decimal("7" * 5000),
        "far": Decimal("1E+1200"),
        "zeros": Decimal("10.00"),
    }
    body = order_of(row).body
    after = cancelled(body).body
    for field, value in (("cancelledAt", MOMENT), ("cancelReason", "other")):
        body = body.replace(b'"%s":null' % field.encode(), b'"%s":"%s"' % (field.encode(), value.encode()))
    assert after == body.replace(b'"updatedAt":"2024-05-02T10:00:00Z"', b'"updatedAt":"%s"' % MOMENT.encode())


def test_an_order_that_was_cancelled_already_is_not_cancelled_again() -> None:
    assert CONTRACT.cancelled(order_of(full_document()).body, PLACE, NOW) is None
    assert CONTRACT.cancelled(cancelled(order_of(live()).body).body, PLACE, NOW + 60) is None


def test_it_goes_to_the_place_at_which_redo_holds_the_order() -> None:
    order = cancelled(order_of(live()).body)
    assert order.place == PLACE
    assert b"main" not in order.body


def test_fingerprint_digest_and_traits_are_those_of_the_cancelled_payload() -> None:
    contract = RedoContract("UTC", (), "main")
    accepted = contract.order(live(), SEEN_AT)
    order = cancelled(accepted.body, contract)
    assert order == contract.order(json.loads(order.body, parse_float=Decimal), SEEN_AT)
    assert order.fingerprint == fingerprint(json.loads(order.body, parse_float=Decimal), {})
    assert contract.changed_fields(accepted.digest, order.digest) == ("updatedAt", "cancelledAt", "cancelReason")
    assert order.traits == accepted.traits


@pytest.mark.parametrize("ignore", [(), ("updatedAt",), ("cancelledAt", "cancelReason", "updatedAt")])
def test_an_order_that_returns_differs_from_its_cancelled_self_whatever_is_ignored(ignore: tuple[str, ...]) -> None:
    contract = RedoContract("UTC", ignore)
    accepted = contract.order(live(), SEEN_AT)
    assert cancelled(accepted.body, contract).fingerprint != accepted.fingerprint


@given(documents())
def test_whatever_was_accepted_can_be_cancelled_and_is_accepted_again(row: dict[str, Any]) -> None:
    accepted = order_of(row | {"cancelledAt": None})
    payload = json.loads(cancelled(accepted.body).body)
    assert not errors_of(payload)
    assert payload["cancelledAt"] == MOMENT


def test_a_cancelled_order_keeps_syncing() -> None:
    at_first = document(cancelledAt="2024-05-02", cancelReason="customer")
    later = at_first | {"lineItems": [line_item(returnableQuantity=0)]}
    refunded = at_first | {"refunds": full_document()["refunds"]}
    other_time = at_first | {"cancelledAt": "2024-05-03"}
    orders = [order_of(row) for row in (document(), at_first, later, refunded, other_time)]
    assert len({order.fingerprint for order in orders}) == len(orders)
    assert all(json.loads(order.body)["cancelledAt"].startswith("2024-05-0") for order in orders[1:])
