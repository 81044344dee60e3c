"""Redo's contract as the sandbox enforces it: plain checks of JSON, from Redo's published schema and guide.

Shares nothing with `connector.contract` on purpose: where the two disagree about an order, a test fails.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from typing import Any, Final

from connector.sandbox.checks import (
    Errors,
    count,
    currency,
    email,
    instant,
    money_set,
    name,
    nullable,
    number,
    one_of,
    put,
    record,
    rows,
    text,
)

_DISCOUNT = record({"amountSet": money_set, "discountId": text}, {"discountTitle": text, "discountCode": text})
_TAX_LINE = record({"priceSet": money_set, "rate": nullable(text)}, {"title": text})
_METAFIELD = record({"namespace": text, "key": text, "value": text})
_PLACE: Final = ("address1", "city", "provinceCode", "zip", "countryCode")
_PERSON: Final = {field: nullable(text) for field in ("address2", "company", "firstName", "lastName", "phone")}
_LINE_ITEM = record(
    {"id": name, "quantity": number, "priceSet": money_set, "title": text, "productId": text, "sku": text},
    {
        "returnableQuantity": nullable(number),
        **{
            field: nullable(text)
            for field in ("variantTitle", "vendor", "fulfillmentService", "variantId", "additionalProductId", "image")
        },
        "properties": rows(record({"name": text, "value": text})),
        "tags": rows(text),
        "metafields": rows(_METAFIELD),
        "weight": nullable(record({"value": number, "unit": text})),
        "images": rows(record({"url": text}, {"data": nullable(text)})),
        "discounts": rows(_DISCOUNT),
        "taxLines": rows(_TAX_LINE),
    },
)
_SHIPPING_LINE = record(
    {"id": text, "title": text, "priceSet": money_set},
    {"code": text, "discounts": rows(_DISCOUNT), "taxLines": rows(_TAX_LINE)},
)
_FULFILLMENT = record(
    {"id": text, "lineItems": rows(record({"id": text, "quantity": number}))},
    {
        "trackingNumbers": rows(record({"trackingNumber": text}, {"carrier": nullable(text)})),
        "trackingUrls": rows(text),
        "shippingDate": nullable(instant),
        "deliveryDate": nullable(instant),
    },
)
_REFUND_AMOUNT = record({"amountSet": money_set}, {"taxAmountSet": money_set, "reason": text})
_REFUND = record(
    {"id": text, "createdAt": instant},
    {
        "note": nullable(text),
        "lineItems": rows(
            record({"lineItemId": text, "quantity": count, "subtotalSet": money_set, "totalTaxSet": money_set})
        ),
        "shippingRefunds": rows(_REFUND_AMOUNT),
        "orderLevelRefunds": rows(_REFUND_AMOUNT),
    },
)


def _four(value: Any) -> Errors:
    return text(value) or (None if len(value) == 4 else "Must be 4 characters")


_TRANSACTION = record(
    {"paymentId": text, "amount": number, "currency": currency, "createdDate": instant, "paymentGateway": text},
    {"additionalDetails": record({"creditCardLastFour": _four})},
)
_ORDER = record(
    {
        "id": name,
        "type": one_of("order"),
        "createdAt": instant,
        "updatedAt": instant,
        "presentmentCurrency": currency,
        "shopCurrency": currency,
        "customer": record(
            {"email": email, "firstName": text, "lastName": text},
            {"phone": nullable(text), "id": text, "tags": rows(text)},
        ),
        "shippingAddress": record(dict.fromkeys(_PLACE, text), _PERSON),
        "lineItems": rows(_LINE_ITEM),
        "orderDiscounts": rows(_DISCOUNT),
        "shippingLines": rows(_SHIPPING_LINE),
        "fulfillments": rows(_FULFILLMENT),
    },
    {
        "billingAddress": nullable(record({}, {**dict.fromkeys(_PLACE, nullable(text)), **_PERSON})),
        "salesChannel": nullable(text),
        "tags": rows(text),
        "metafields": rows(_METAFIELD),
        "transactions": rows(_TRANSACTION),
        "refunds": rows(_REFUND),
        "cancelledAt": nullable(instant),
        "cancelReason": nullable(one_of("customer", "fraud", "inventory", "declined", "other", "staff")),
    },
)


def errors_of(order: Any) -> dict[str, Errors] | str | None:
    """What Redo would not accept, mirroring the body; None for a good order. First the shape, then the rules."""
    return _ORDER(order) or _rule_errors(order) or None


def _rule_errors(order: dict[str, Any]) -> dict[str, Errors]:
    errors: dict[str, Errors] = {}
    lines = order["lineItems"]
    if not lines:
        put(errors, ("lineItems",), "Must contain at least 1 item")
    for field in ("lineItems", "fulfillments", "refunds"):
        _duplicates(errors, order, field)
    for at, line in enumerate(lines):
        if "_" in line["id"]:
            put(errors, ("lineItems", at, "id"), "Must not contain underscores")
        if line.get("returnableQuantity") is not None and line["returnableQuantity"] > max(line["quantity"], 0):
            put(errors, ("lineItems", at, "returnableQuantity"), "Must not exceed quantity")
    _references(errors, order, {line["id"] for line in lines})
    _currencies(errors, order, order, ())
    _coverage(errors, lines)
    return errors


def _duplicates(errors: dict[str, Errors], order: dict[str, Any], field: str) -> None:
    times = Counter(row["id"] for row in order.get(field, ()))
    for at, row in enumerate(order.get(field, ())):
        if times[row["id"]] > 1:
            put(errors, (field, at, "id"), "Must be unique within the order")


def _references(errors: dict[str, Errors], order: dict[str, Any], ordered: set[str]) -> None:
    for at, fulfillment in enumerate(order["fulfillments"]):
        for place, row in enumerate(fulfillment["lineItems"]):
            if row["id"] not in ordered:
                put(errors, ("fulfillments", at, "lineItems", place, "id"), "No such line item in this order")
    for at, refund in enumerate(order.get("refunds", ())):
        for place, row in enumerate(refund.get("lineItems", ())):
            if row["lineItemId"] not in ordered:
                put(errors, ("refunds", at, "lineItems", place, "lineItemId"), "No such line item in this order")


def _currencies(errors: dict[str, Errors], order: dict[str, Any], value: Any, path: tuple[str | int, ...]) -> None:
    """Every money set is in the order's currencies."""
    steps: Iterable[tuple[Any, Any]] = value.items() if isinstance(value, dict) else enumerate(value)
    for step, part in steps:
        if step == "presentmentMoney" or step == "shopMoney":
            if isinstance(part, dict) and part.get("currencyCode") != order[step.replace("Money", "Currency")]:
                put(errors, (*path, step, "currencyCode"), "Not the order's currency")
        elif isinstance(part, dict | list) and not (step == "transactions" and not path):
            _currencies(errors, order, part, (*path, step))


def _coverage(errors: dict[str, Errors], lines: list[dict[str, Any]]) -> None:
    """The Redo line: one at most, with all of its marks, which agree."""
    marked = 0
    for at, line in enumerate(lines):
        said = [entry["value"] for entry in line.get("properties", ()) if entry["name"] == "_redo_type"]
        marks = (line.get("vendor") == "re:do", line["sku"] == "x-redo", bool(said), bool(line.get("tags")))
        if not any(marks[:3]):
            continue
        marked += 1
        if not all(marks) or marked > 1:
            put(errors, ("lineItems", at), "Exactly one complete Redo line item is allowed")
        elif _kinds(said) is None or _kinds(said) != _kinds(line["tags"]):
            put(errors, ("lineItems", at, "tags"), "Must agree with _redo_type on a known kind of coverage")


def _kinds(said: list[str]) -> set[str] | None:
    """The kinds of coverage in comma-separated words; None when any is unknown. `return` is an older word for
    `returns`."""
    kinds: set[str] = set()
    for word in ",".join(said).lower().split(","):
        plain = "-".join(word.replace("_", " ").replace("-", " ").split())
        if plain not in ("return", "returns", "package-protection", "both", "final-sale"):
            return None
        kinds |= {"returns", "package-protection"} if plain == "both" else {"returns" if plain == "return" else plain}
    return kinds
