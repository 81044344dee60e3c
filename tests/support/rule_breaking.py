"""Good orders that are made to break rules, each by one change; and contracts by what the settings say of rules."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from decimal import Decimal
from functools import cache
from typing import Any, Final, TypeAlias

from connector.contract.order_builder import RedoContract
from connector.contract.rules.rule_book import Mode, RuleBook
from connector.model.errors import InvalidOrder
from connector.model.orders import Order, Violation
from tests.support.redo_orders import SEEN_AT, full_document, money

Row: TypeAlias = dict[str, Any]


@cache
def _contract(rules: tuple[tuple[str, Mode], ...], *, keep_digits: bool) -> RedoContract:
    return RedoContract(rules=RuleBook(dict(rules), keep_digits=keep_digits))


def made(row: Row, rules: Mapping[str, Mode] | None = None, *, keep_digits: bool = False) -> Order:
    """Raises InvalidOrder."""
    return _contract(tuple(sorted((rules or {}).items())), keep_digits=keep_digits).order(row, SEEN_AT)


def warned(row: Row, rules: Mapping[str, Mode] | None = None) -> dict[str, str]:
    """The rules that a pushed order is warned of, with the words."""
    return {one.kind: one.message for one in made(row, rules).warnings}


def refused(row: Row, rules: Mapping[str, Mode] | None = None) -> list[str]:
    """The paths for which an order is refused; none when it is pushed."""
    try:
        made(row, rules)
    except InvalidOrder as error:
        return [one.path for one in error.violations if isinstance(one, Violation)]
    return []


def _set(*path: str | int, value: Any) -> Callable[[Row], None]:
    def change(row: Row) -> None:
        level: Any = row
        for step in path[:-1]:
            level = level[step]
        level[path[-1]] = value

    return change


def _add(*path: str | int, value: Any) -> Callable[[Row], None]:
    def change(row: Row) -> None:
        level: Any = row
        for step in path:
            level = level[step]
        level.append(value)

    return change


_REFUND_LINE: Final = {"lineItemId": "gone", "quantity": 1, "subtotalSet": money("1"), "totalTaxSet": money("0")}

BREAKS: Final[Mapping[str, tuple[tuple[Callable[[Row], None], str], ...]]] = {
    "order_id": ((_set("id", value="x" * 256), "id"), (_set("id", value="a\0b"), "id")),
    "no_line_items": ((_set("lineItems", value=[]), "lineItems"),),
    "duplicate_id": (
        (_set("lineItems", 1, "id", value="L1"), "lineItems[1].id"),
        (_add("fulfillments", value={"id": "F1", "lineItems": []}), "fulfillments[1].id"),
        (_add("refunds", value={"id": "R1", "createdAt": "2024-05-06"}), "refunds[1].id"),
    ),
    "email": ((_set("customer", "email", value="ada at example.com"), "customer.email"),),
    "currency_code": ((_set("transactions", 0, "currency", value="Dollar"), "transactions[0].currency"),),
    "coverage": ((_set("lineItems", 1, "tags", value=[]), "lineItems[1].tags"),),
    "line_item_id_underscore": ((_set("lineItems", 1, "id", value="L_2"), "lineItems[1].id"),),
    "over_fulfilled": (
        (_set("fulfillments", 0, "lineItems", 0, "quantity", value=3), "fulfillments[0].lineItems[0].quantity"),
    ),
    "fulfilled_line_gone": (
        (_add("fulfillments", 0, "lineItems", value={"id": "gone", "quantity": 1}), "fulfillments[0].lineItems[1].id"),
    ),
    "refunded_line_gone": (
        (_add("refunds", 0, "lineItems", value=_REFUND_LINE), "refunds[0].lineItems[1].lineItemId"),
    ),
    "returnable_quantity": (
        (_set("lineItems", 0, "returnableQuantity", value=3), "lineItems[0].returnableQuantity"),
        (_set("lineItems", 0, "returnableQuantity", value=-1), "lineItems[0].returnableQuantity"),
        (_set("lineItems", 0, "returnableQuantity", value=Decimal("2.5")), "lineItems[0].returnableQuantity"),
    ),
    "null_entry": (
        (_add("lineItems", 0, "properties", value={"name": "gift", "value": None}), "lineItems[0].properties[1]"),
        (_add("lineItems", 0, "metafields", value=None), "lineItems[0].metafields[1]"),
        (_add("metafields", value={"namespace": "oms", "key": None, "value": "x"}), "metafields[1]"),
    ),
    "currency_not_active": ((_set("transactions", 0, "currency", value="DEM"), "transactions[0].currency"),),
    "email_unusual": (
        (_set("customer", "email", value="root@localhost"), "customer.email"),
        (_set("customer", "email", value='"ada byron"@example.com'), "customer.email"),
        (_set("customer", "email", value="ada@[192.0.2.1]"), "customer.email"),
    ),
    "country_code": (
        (_set("shippingAddress", "countryCode", value="USA"), "shippingAddress.countryCode"),
        (_set("shippingAddress", "countryCode", value=""), "shippingAddress.countryCode"),
        (_set("shippingAddress", "countryCode", value="us"), "shippingAddress.countryCode"),
        (_set("billingAddress", "countryCode", value="UK"), "billingAddress.countryCode"),
    ),
    "amount_decimals": (
        (_set("lineItems", 0, "priceSet", value=Decimal("74.705")), "lineItems[0].priceSet"),
        (_set("shippingLines", 0, "priceSet", value=money("4.999")), "shippingLines[0].priceSet"),
        (_set("refunds", 0, "lineItems", 0, "subtotalSet", value="0.001"), "refunds[0].lineItems[0].subtotalSet"),
        (_set("transactions", 0, "amount", value=Decimal("25.801")), "transactions[0].amount"),
    ),
    "negative_amount": (
        (_set("lineItems", 0, "priceSet", value=-3), "lineItems[0].priceSet"),
        (_set("lineItems", 0, "discounts", 0, "amountSet", value="-1.00"), "lineItems[0].discounts[0].amountSet"),
        (_set("orderDiscounts", 0, "amountSet", value=money("-1")), "orderDiscounts[0].amountSet"),
    ),
    "negative_refund": (
        (
            _set("refunds", 0, "shippingRefunds", 0, "amountSet", value=Decimal("-5.00")),
            "refunds[0].shippingRefunds[0].amountSet",
        ),
        (
            _set("refunds", 0, "lineItems", 0, "totalTaxSet", value=money("-0.80")),
            "refunds[0].lineItems[0].totalTaxSet",
        ),
    ),
    "negative_quantity": (
        (_set("lineItems", 1, "quantity", value=-1), "lineItems[1].quantity"),
        (_set("fulfillments", 0, "lineItems", 0, "quantity", value=-1), "fulfillments[0].lineItems[0].quantity"),
    ),
    "empty_sku": ((_set("lineItems", 0, "sku", value=""), "lineItems[0].sku"),),
    "empty_title": ((_set("lineItems", 0, "title", value="  "), "lineItems[0].title"),),
}
"""By rule: changes to `full_document`, each with the path that is named then."""


def broken(change: Callable[[Row], None]) -> Row:
    """The full order with one change."""
    row: Row = _unshared(full_document())
    change(row)
    return row


def _unshared(value: Any) -> Any:
    """A copy in which no object stands at two places."""
    if isinstance(value, dict):
        return {name: _unshared(below) for name, below in value.items()}
    return [_unshared(below) for below in value] if isinstance(value, list) else value
