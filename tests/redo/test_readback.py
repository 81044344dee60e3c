"""What Redo shows of an order against what was sent."""

from __future__ import annotations

import asyncio
import copy
import json
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from decimal import Decimal
from typing import Any, TypeAlias
from urllib.parse import quote

import httpx2 as httpx
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from connector.model.orders import Order
from connector.redo.readback import differences_to_readback
from connector.sandbox.server import SandboxServer
from connector.sandbox.state import State
from tests.support.redo_orders import document, documents, full_document, line_item, money, order_of

STORE = "/v2.2/stores/store-1"
FEW = settings(max_examples=50)  # orders are large, and travel twice


ReadBack: TypeAlias = Callable[[Order], dict[str, Any]]


@pytest.fixture(scope="module")
def read_back() -> Iterator[ReadBack]:
    """Pushes an order to a sandbox; what that shows of it."""
    with asyncio.Runner() as runner, ExitStack() as stack:
        sandbox = SandboxServer(State("store-1", "s3cret"))
        runner.run(sandbox.__aenter__())
        stack.callback(lambda: runner.run(sandbox.__aexit__(None, None, None)))
        http = httpx.AsyncClient(base_url=sandbox.base_url, headers={"Authorization": "Bearer s3cret"}, timeout=60)
        stack.callback(lambda: runner.run(http.aclose()))

        async def read(order: Order) -> dict[str, Any]:
            pushed = await http.post(f"{STORE}/custom/orders", content=order.body)
            shown = await http.get(f"{STORE}/orders/{quote(order.order_id, safe='')}")
            assert (pushed.status_code, shown.status_code) == (200, 200)
            answer: dict[str, Any] = json.loads(shown.content, parse_float=Decimal)
            return answer

        yield lambda order: runner.run(read(order))


@FEW
@given(documents())
def test_no_order_differs_from_what_the_sandbox_shows_of_it(read_back: ReadBack, row: dict[str, Any]) -> None:
    order = order_of(row)
    answer = read_back(order)
    assert differences_to_readback(order.body, answer) == []
    in_binary = json.loads(json.dumps(answer, default=float))
    assert differences_to_readback(order.body, in_binary) == []


TAMPERED: list[tuple[str, Any, str]] = [
    ("orderId", "1002", "id"),
    ("createdAt", "2024-05-01T08:00:01Z", "createdAt"),
    ("createdAt", "2024-05-01T08:00:00", "createdAt"),
    ("createdAt", "soon", "createdAt"),
    ("createdAt", None, "createdAt"),
    ("tags", ["vip"], "tags"),
    ("tags", ["vip", "b2c", "new"], "tags"),
    ("tags", None, "tags"),
    ("currencyCode", "EUR", "presentmentCurrency"),
    ("customer.id", "C2", "customer.id"),
    ("customer.email", "eve@example.com", "customer.email"),
    ("customer.email", None, "customer.email"),
    ("customer.phoneNumber", "+1", "customer.phone"),
    ("customer.firstName", "Eve", "customer.firstName"),
    ("customer.lastName", "", "customer.lastName"),
    *[
        (f"{theirs}.{field}", value, f"{ours}.{name}")
        for theirs, ours in (("shipping.address", "shippingAddress"), ("billingAddress", "billingAddress"))
        for field, value, name in (
            ("address1", "2 High St", "address1"),
            ("address2", "Flat 2", "address2"),
            ("city", "Orem", "city"),
            ("province", "NV", "provinceCode"),
            ("country", "CA", "countryCode"),
            ("postalCode", "84044", "zip"),
        )
    ],
    ("shipping.method", "Express", "shippingLines[].title"),
    ("shipping.cost", Decimal("5.01"), "shippingLines[].priceSet"),
    ("shipping.cost", None, "shippingLines[].priceSet"),
    ("lineItems.0.productId", "P2", "lineItems[id=L1].productId"),
    ("lineItems.0.variantId", None, "lineItems[id=L1].variantId"),
    ("lineItems.0.title", "Cup", "lineItems[id=L1].title"),
    ("lineItems.1.sku", "S9", "lineItems[id=L2].sku"),
    ("lineItems.1.quantity", 2, "lineItems[id=L2].quantity"),
    ("lineItems.0.quantity", "two", "lineItems[id=L1].quantity"),
    ("lineItems.0.price", Decimal("10.01"), "lineItems[id=L1].priceSet"),
    ("lineItems.0.price", float("nan"), "lineItems[id=L1].priceSet"),
    ("lineItems.0.price", "1E+9999999", "lineItems[id=L1].priceSet"),
    ("lineItems.0.discount", 0, "lineItems[id=L1].discounts"),
    ("lineItems.0.discount", None, "lineItems[id=L1].discounts"),
    ("lineItems.0.imageUrl", "https://example.com/cup.png", "lineItems[id=L1].image"),
    ("fulfillments.0.lineItems.0.quantity", 1, "fulfillments[].lineItems[id=L1].quantity"),
    ("fulfillments.0.trackingNumber", "1Z998", "fulfillments[id=F1].trackingNumbers[].trackingNumber"),
    ("fulfillments.0.trackingCompany", "DHL", "fulfillments[id=F1].trackingNumbers[].carrier"),
    ("fulfillments.0.deliveredAt", "2024-05-04T11:00:00Z", "fulfillments[id=F1].deliveryDate"),
    ("fulfillments.0.deliveredAt", None, "fulfillments[id=F1].deliveryDate"),
    ("fulfillments", [], "fulfillments[].lineItems[id=L1].quantity"),
]


@pytest.fixture(scope="module")
def full(read_back: ReadBack) -> tuple[bytes, dict[str, Any]]:
    order = order_of(full_document())
    return order.body, read_back(order)


def tampered(answer: dict[str, Any], path: str, value: Any) -> dict[str, Any]:
    changed = copy.deepcopy(answer)
    level: Any = changed
    *above, last = (int(step) if step.isdigit() else step for step in path.split("."))
    for step in above:
        level = level[step]
    assert level[last] != value
    level[last] = value
    return changed


@pytest.mark.parametrize(("path", "value", "differs"), TAMPERED)
def test_each_compared_field_that_was_tampered_with_is_named(
    full: tuple[bytes, dict[str, Any]], path: str, value: Any, differs: str
) -> None:
    sent, answer = full
    assert differences_to_readback(sent, answer) == []
    assert differences_to_readback(sent, tampered(answer, path, value)) == [differs]


def test_no_value_is_ever_told(full: tuple[bytes, dict[str, Any]]) -> None:
    sent, answer = full
    told = [
        path for where, value, _ in TAMPERED for path in differences_to_readback(sent, tampered(answer, where, value))
    ]
    assert told
    assert not [
        path for path in told if any(word in path for word in ("eve", "Eve", "High St", "Cup", "Flat", "84044"))
    ]


@FEW
@given(documents(), st.data())
def test_a_line_item_that_was_tampered_with_is_named_in_any_order(
    read_back: ReadBack, row: dict[str, Any], data: st.DataObject
) -> None:
    order = order_of(row)
    sent, answer = order.body, read_back(order)
    at = data.draw(st.integers(0, len(row["lineItems"]) - 1))
    name = row["lineItems"][at]["id"]
    price = answer["lineItems"][at]["price"]
    for field, value, differs in (
        ("quantity", answer["lineItems"][at]["quantity"] + 1, "quantity"),
        ("price", Decimal(price) + Decimal("0.01"), "priceSet"),
        ("productId", answer["lineItems"][at]["productId"] + "x", "productId"),
        ("title", answer["lineItems"][at]["title"] + "x", "title"),
    ):
        changed = tampered(answer, f"lineItems.{at}.{field}", value)
        assert differences_to_readback(sent, changed) == [f"lineItems[id={name}].{differs}"]
    del answer["lineItems"][at]
    assert differences_to_readback(sent, answer) == [f"lineItems[id={name}]"]


def test_a_line_item_too_many_is_named(full: tuple[bytes, dict[str, Any]]) -> None:
    sent, answer = full
    more = [*answer["lineItems"], answer["lineItems"][0] | {"id": "L3"}]
    assert differences_to_readback(sent, answer | {"lineItems": more}) == ["lineItems[id=L3]"]
    assert differences_to_readback(sent, answer | {"lineItems": more[::-1][1:]}) == []


@pytest.mark.parametrize("part", ["customer", "shipping", "billingAddress", "tags", "currencyCode", "fulfillments"])
def test_what_the_answer_leaves_out_is_no_difference_but_for_line_items(
    full: tuple[bytes, dict[str, Any]], part: str
) -> None:
    sent, answer = full
    assert differences_to_readback(sent, {name: value for name, value in answer.items() if name != part}) == []


def test_an_answer_without_anything_lacks_the_line_items(full: tuple[bytes, dict[str, Any]]) -> None:
    assert differences_to_readback(full[0], {}) == ["lineItems[id=L1]", "lineItems[id=L2]"]


def test_what_was_never_sent_is_not_compared(read_back: ReadBack) -> None:
    order = order_of(document())
    sent, answer = order.body, read_back(order)
    answer["customer"] |= {"id": "made up by Redo", "phoneNumber": "+1"}
    answer["lineItems"][0] |= {"variantId": "V", "imageUrl": "https://example.com/", "discount": 3}
    answer |= {"tags": ["imported"], "billingAddress": {"city": "Lehi"}, "totalPrice": 3, "shipping": {"cost": 4}}
    assert differences_to_readback(sent, answer) == []


def test_a_null_that_was_sent_is_compared(read_back: ReadBack) -> None:
    row = document(lineItems=[line_item(variantId=None)])
    row["customer"]["phone"] = None
    order = order_of(row)
    sent, answer = order.body, read_back(order)
    answer["customer"]["phoneNumber"] = "+1"
    answer["lineItems"][0]["variantId"] = "V"
    assert differences_to_readback(sent, answer) == ["customer.phone", "lineItems[id=L1].variantId"]


def test_spellings_that_mean_the_same_are_no_difference(read_back: ReadBack) -> None:
    row = document(
        createdAt="2024-05-01T08:00:00.123456Z", tags=["b", "a"], shippingAddress=full_document()["shippingAddress"]
    )
    row["customer"] |= {"email": "Ada@Example.com", "phone": "+1 801-555 0100"}
    order = order_of(row)
    sent, answer = order.body, read_back(order)
    answer |= {"createdAt": "2024-05-01T10:00:00.123+02:00", "tags": ["a", "b"]}
    answer["customer"] |= {"email": "ada@example.com", "phoneNumber": "+18015550100"}
    answer["shipping"]["address"]["address2"] = ""
    answer["lineItems"][0] |= {"price": 10, "quantity": Decimal("2.0")}
    assert differences_to_readback(sent, answer) == []


def test_amounts_are_compared_in_the_currency_that_the_answer_names(read_back: ReadBack) -> None:
    pair = {
        "presentmentMoney": {"amount": "9.00", "currencyCode": "EUR"},
        "shopMoney": {"amount": "10.00", "currencyCode": "USD"},
    }
    order = order_of(document(presentmentCurrency="EUR", lineItems=[line_item(priceSet=pair)]))
    sent, answer = order.body, read_back(order)
    line = answer["lineItems"][0]
    for currency, price, differs in (
        ("EUR", 9, []),
        ("EUR", 10, ["lineItems[id=L1].priceSet"]),
        ("USD", 10, []),
        ("USD", 9, ["lineItems[id=L1].priceSet"]),
        (None, 9, []),
        (None, 10, []),
        (None, 11, ["lineItems[id=L1].priceSet"]),
        ("GBP", 9, ["presentmentCurrency"]),
    ):
        shown = answer | {"currencyCode": currency, "lineItems": [line | {"price": price}]}
        assert differences_to_readback(sent, shown) == differs


def test_sums_of_binary_fractions_are_the_sums_that_were_sent(read_back: ReadBack) -> None:
    discounts = [{"amountSet": money(amount), "discountId": amount} for amount in ("0.10", "0.20")]
    order = order_of(document(lineItems=[line_item(discounts=discounts)]))
    sent, answer = order.body, read_back(order)
    answer["lineItems"][0]["discount"] = 0.1 + 0.2
    assert differences_to_readback(sent, answer) == []
    answer["lineItems"][0]["discount"] = 0.31
    assert differences_to_readback(sent, answer) == ["lineItems[id=L1].discounts"]


@pytest.mark.parametrize(
    ("shown", "differs"), [(("", "1Z1"), []), (("UPS", "1Z2"), []), (("DHL", "1Z1"), ["trackingNumbers[].carrier"])]
)
def test_any_of_several_tracking_numbers_may_be_shown(
    full: tuple[bytes, dict[str, Any]], shown: tuple[str, str], differs: list[str]
) -> None:
    row, answer = full_document(), full[1]
    row["fulfillments"][0]["trackingNumbers"] = [
        {"carrier": "", "trackingNumber": "1Z1"},
        {"carrier": "UPS", "trackingNumber": "1Z2"},
    ]
    fulfillment = answer["fulfillments"][0] | {"trackingCompany": shown[0], "trackingNumber": shown[1]}
    found = differences_to_readback(order_of(row).body, answer | {"fulfillments": [fulfillment]})
    assert found == [f"fulfillments[id=F1].{path}" for path in differs]


def test_what_was_shipped_may_be_parted_otherwise(full: tuple[bytes, dict[str, Any]]) -> None:
    sent, answer = full
    (whole,) = answer["fulfillments"]
    parts = [whole | {"id": name, "lineItems": [whole["lineItems"][0] | {"quantity": 1}]} for name in ("X", "Y")]
    assert differences_to_readback(sent, answer | {"fulfillments": parts}) == []
    assert differences_to_readback(sent, answer | {"fulfillments": [*parts, parts[0] | {"id": "Z"}]}) == [
        "fulfillments[].lineItems[id=L1].quantity"
    ]


JUNK: tuple[Any, ...] = (None, True, 5, "x", [], {}, [None], [5], [{}], {"": 1}, [{"id": 5, "lineItems": [None, 5]}])


@pytest.mark.parametrize("junk", JUNK, ids=str)
def test_an_answer_of_any_shape_can_be_compared(full: tuple[bytes, dict[str, Any]], junk: Any) -> None:
    sent, answer = full
    for name in answer:
        differences_to_readback(sent, answer | {name: junk})
    for row in ("lineItems", "fulfillments"):
        for name in answer[row][0]:
            differences_to_readback(sent, answer | {row: [answer[row][0] | {name: junk}]})
    for name in answer["customer"]:
        differences_to_readback(sent, answer | {"customer": {name: junk}})
    differences_to_readback(sent, answer | {"shipping": {"address": junk, "method": junk, "cost": junk}})
