"""Orders for the tests of Redo's side: one that uses the whole contract, and hypothesis strategies for any."""

from __future__ import annotations

import asyncio
import copy
import json
import re
from collections.abc import Callable
from decimal import Decimal
from functools import cache
from typing import Any

from hypothesis import strategies as st
from pydantic.alias_generators import to_camel

from connector.contract.order_builder import RedoContract
from connector.model.orders import Order

SEEN_AT = 1_714_557_600.0  # 2024-05-01T10:00:00Z


async def until(condition: Callable[[], bool]) -> None:
    """Wait for a state of something that runs in this loop."""
    while not condition():  # noqa: ASYNC110  what is waited for has no event
        await asyncio.sleep(0.001)


def money(amount: str, currency: str = "USD") -> dict[str, Any]:
    side = {"amount": amount, "currencyCode": currency}
    return {"presentmentMoney": dict(side), "shopMoney": dict(side)}


def line_item(name: str | int = "L1", **changes: Any) -> dict[str, Any]:
    line = {"id": name, "productId": "P1", "sku": "S1", "title": "Mug", "quantity": 2, "priceSet": money("10.00")}
    return line | changes


def document(**changes: Any) -> dict[str, Any]:
    """The smallest good order, in camelCase; `changes` replace or add fields."""
    smallest = {
        "id": "1001",
        "createdAt": "2024-05-01T10:00:00+02:00",
        "presentmentCurrency": "USD",
        "shopCurrency": "USD",
        "customer": {"email": "ada@example.com", "firstName": "Ada", "lastName": "Byron"},
        "shippingAddress": {
            "address1": "1 High St",
            "city": "Lehi",
            "provinceCode": "UT",
            "zip": "84043",
            "countryCode": "US",
        },
        "lineItems": [line_item()],
        "orderDiscounts": [],
        "shippingLines": [],
        "fulfillments": [],
    }
    return copy.deepcopy(smallest | changes)


def full_document() -> dict[str, Any]:
    """An order with every field of the contract."""
    discount = {"amountSet": money("1.00"), "discountId": "D1", "discountTitle": "May", "discountCode": "MAY"}
    tax = {"priceSet": money("0.80"), "rate": "0.08", "title": "Tax"}
    metafield = {"namespace": "oms", "key": "channel", "value": "web"}
    line = line_item(
        "L1",
        returnableQuantity=1,
        variantTitle="Blue",
        vendor="Acme",
        fulfillmentService="manual",
        variantId="V1",
        additionalProductId="A1",
        properties=[{"name": "engraving", "value": "A B"}],
        tags=["fragile", "gift"],
        metafields=[metafield],
        weight={"value": Decimal("350.5"), "unit": "g"},
        image="https://example.com/mug.png",
        images=[{"url": "https://example.com/mug-2.png", "data": None}],
        discounts=[discount],
        taxLines=[tax],
    )
    redo = line_item(
        "L2",
        sku="x-redo",
        vendor="re:do",
        quantity=1,
        tags=["returns", "package protection"],
        properties=[{"name": "_redo_type", "value": "both"}],
    )
    address = {
        "address1": "1 High St",
        "address2": None,
        "city": "Lehi",
        "company": "Acme",
        "firstName": "Ada",
        "lastName": "Byron",
        "provinceCode": "UT",
        "zip": "84043",
        "countryCode": "US",
        "phone": "+1 801 555 0100",
    }
    return document(
        type="order",
        createdAt="2024-05-01T08:00:00Z",
        updatedAt="2024-05-02T10:00:00Z",
        billingAddress=address,
        shippingAddress=address,
        salesChannel="web",
        tags=["vip", "b2c"],
        metafields=[metafield],
        cancelledAt="2024-05-05T10:00:00Z",
        cancelReason="customer",
        customer={
            "email": "ada@example.com",
            "firstName": "Ada",
            "lastName": "Byron",
            "phone": None,
            "id": "C1",
            "tags": ["vip"],
        },
        lineItems=[line, redo],
        orderDiscounts=[discount],
        shippingLines=[
            {
                "id": "SH1",
                "title": "Standard",
                "code": "STD",
                "priceSet": money("5.00"),
                "discounts": [discount],
                "taxLines": [tax],
            }
        ],
        fulfillments=[
            {
                "id": "F1",
                "trackingNumbers": [{"carrier": "UPS", "trackingNumber": "1Z999"}],
                "trackingUrls": ["https://example.com/1Z999"],
                "lineItems": [{"id": "L1", "quantity": 2}],
                "shippingDate": "2024-05-02T10:00:00Z",
                "deliveryDate": "2024-05-04T10:00:00Z",
            }
        ],
        transactions=[
            {
                "paymentId": "PAY1",
                "amount": Decimal("25.80"),
                "currency": "USD",
                "createdDate": "2024-05-01T10:00:00Z",
                "paymentGateway": "authorize_net",
                "additionalDetails": {"creditCardLastFour": "4242"},
                "gatewayReference": {"batch_no": 7},
            }
        ],
        refunds=[
            {
                "id": "R1",
                "createdAt": "2024-05-06T10:00:00Z",
                "note": "chipped",
                "lineItems": [
                    {"lineItemId": "L1", "quantity": 1, "subtotalSet": money("10.00"), "totalTaxSet": money("0.80")}
                ],
                "shippingRefunds": [{"amountSet": money("5.00"), "taxAmountSet": money("0.40"), "reason": "late"}],
                "orderLevelRefunds": [{"amountSet": money("1.00")}],
            }
        ],
    )


def order_of(row: dict[str, Any], timezone: str = "UTC", ignore: tuple[str, ...] = ("updatedAt",)) -> Order:
    return contract_for(timezone, ignore).order(row, SEEN_AT)


@cache
def contract_for(timezone: str, ignore: tuple[str, ...]) -> RedoContract:
    return RedoContract(timezone, ignore)


def payload_of(row: dict[str, Any], timezone: str = "UTC") -> dict[str, Any]:
    """What goes to Redo, with exact numbers."""
    payload: dict[str, Any] = json.loads(order_of(row, timezone).body, parse_float=Decimal)
    return payload


def snake_case(name: str) -> str:
    """As people spell column names: `address1`, not `address_1`."""
    return re.sub("[A-Z]", lambda capital: "_" + capital[0].lower(), name)


def respelled(value: Any, snake: bool) -> Any:
    """All keys in the other spelling, but for a gateway's own ones."""
    spell = snake_case if snake else to_camel
    if isinstance(value, dict):
        return {
            name if name in ("gatewayReference", "batch_no", "reference") else spell(name): respelled(below, snake)
            for name, below in value.items()
        }
    return [respelled(below, snake) for below in value] if isinstance(value, list) else value


# Any good order. Text is without surrogates, as Postgres's text is.
words = st.text(st.characters(exclude_characters="\x00", exclude_categories=["Cs"]), max_size=8)
names = st.text("abcXYZ0189-#/ é", min_size=1, max_size=6).filter(lambda name: bool(name.strip()))
amounts = st.decimals(0, 10**9, places=2).map(str)
moments = st.datetimes().map(lambda moment: moment.isoformat() + "Z")
optional = st.none()


def _record(required: dict[str, Any], further: dict[str, Any] | None = None) -> st.SearchStrategy[dict[str, Any]]:
    return st.fixed_dictionaries(required, optional=further or {})


money_sets = amounts.map(money)
discounts = st.lists(_record({"amountSet": money_sets, "discountId": names}, {"discountTitle": words}), max_size=2)
tax_lines = st.lists(_record({"priceSet": money_sets, "rate": optional | amounts}, {"title": words}), max_size=2)
metafields = st.lists(_record({"namespace": names, "key": names, "value": words}), max_size=2)
refund_amounts = st.lists(_record({"amountSet": money_sets}, {"taxAmountSet": money_sets, "reason": words}), max_size=2)
addresses = _record(
    dict.fromkeys(("address1", "city", "provinceCode", "zip", "countryCode"), words),
    dict.fromkeys(("address2", "company", "firstName", "lastName", "phone"), optional | words),
)
transactions = st.lists(
    _record(
        {
            "paymentId": names,
            "amount": st.decimals(0, 10**6, places=2) | st.integers(0, 10**6),
            "currency": st.just("USD"),
            "createdDate": moments,
            "paymentGateway": words,
        },
        {"reference": st.recursive(words | st.integers() | st.booleans() | st.none(), st.lists, max_leaves=4)},
    ),
    max_size=2,
)


_shipping_lines = st.lists(
    _record(
        {"id": names, "title": words, "priceSet": money_sets},
        {"code": words, "discounts": discounts, "taxLines": tax_lines},
    ),
    max_size=2,
)
_line_items = _record(
    {
        "productId": names,
        "sku": words.filter(lambda sku: sku.strip().casefold() != "x-redo"),
        "title": words,
        "quantity": st.integers(1, 9),
        "priceSet": money_sets,
    },
    {
        "returnableQuantity": optional | st.just(1),
        "variantTitle": optional | words,
        "image": optional | words,
        "weight": optional | _record({"value": st.decimals(0, 999, places=1), "unit": st.just("g")}),
        "properties": st.lists(_record({"name": st.just("colour"), "value": words}), max_size=2),
        "tags": st.lists(words, max_size=3),
        "metafields": metafields,
        "discounts": discounts,
        "taxLines": tax_lines,
    },
)
_shipments = _record(
    {"id": names},
    {
        "trackingNumbers": st.lists(_record({"trackingNumber": names}, {"carrier": optional | words}), max_size=2),
        "trackingUrls": st.lists(words, max_size=2),
        "deliveryDate": optional | moments,
    },
)
_refunded = _record(
    {
        "lineItemId": st.integers(0, 5),
        "quantity": st.integers(1, 9),
        "subtotalSet": money_sets,
        "totalTaxSet": money_sets,
    }
)
"""`lineItemId`: the place of its line, counted round."""
_refunds = st.lists(
    _record(
        {"id": names, "createdAt": moments},
        {
            "note": optional | words,
            "lineItems": st.lists(_refunded, max_size=2),
            "shippingRefunds": refund_amounts,
            "orderLevelRefunds": refund_amounts,
        },
    ),
    max_size=2,
    unique_by=lambda row: row["id"],
)
_further = st.fixed_dictionaries(
    {
        "id": names,
        "createdAt": moments,
        "shippingAddress": addresses,
        "billingAddress": optional | addresses,
        "tags": st.lists(words, max_size=3),
        "metafields": metafields,
        "orderDiscounts": discounts,
        "shippingLines": _shipping_lines,
        "fulfillments": st.lists(_shipments, max_size=1),
        "transactions": transactions,
        "refunds": _refunds,
        "cancelReason": st.sampled_from(["customer", "fraud", "inventory", "declined", "other", "staff", None]),
        "cancelledAt": optional | moments,
    }
)
_line_ids = st.lists(names, min_size=1, max_size=3, unique=True)


@st.composite
def documents(draw: st.DrawFn) -> dict[str, Any]:
    """Any good order, in camelCase, of strategies that are there already: to make one takes longer than to draw."""
    line_ids = draw(_line_ids)
    lines = [{"id": name, **draw(_line_items)} for name in line_ids]
    order = document(lineItems=lines, **draw(_further))
    for shipment in order["fulfillments"]:
        parts = [{"id": line["id"], "quantity": line["quantity"]} for line in lines]
        shipment["lineItems"] = draw(st.permutations(parts))
    for refund in order["refunds"]:
        for line in refund.get("lineItems", ()):
            line["lineItemId"] = line_ids[line["lineItemId"] % len(line_ids)]
    return order
