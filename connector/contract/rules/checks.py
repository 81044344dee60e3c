"""Redo's rules that its JSON schema doesn't state and that one version of an order is enough to check.

They read the camelCase payload and skip values of the wrong type, which the models report: both together find
everything wrong with an order at once. What can be mended is mended in the payload. Messages say what to do and never
repeat a value.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from decimal import Decimal
from typing import Any, Final, TypeAlias

from connector.contract.protection import protection
from connector.contract.rules import email
from connector.contract.rules.countries import COUNTRIES
from connector.contract.rules.rule_book import Finding
from connector.contract.schema.currencies import CURRENCIES, Scales
from connector.contract.schema.fields import is_short
from connector.contract.schema.notes import Note, located

Payload: TypeAlias = dict[str, Any]
Quantity: TypeAlias = int | Decimal | None

LONGEST_ID: Final = 255
"""Characters of an order's id."""

_NOT_NEGATIVE: Final = "must not be negative"
_CURRENCY: Final = "must be an ISO 4217 code of three capitals, such as USD"
_EMPTY: Final = "should not be empty"
_ACTIVE: Final = "is no active ISO 4217 code"
_NO_LINE: Final = "must be the id of a line item of this order"
_UNIQUE: Final = {
    "lineItems": "returns refer to line items by id",
    "fulfillments": "sum up the parts of one shipment",
    "refunds": "each refund is sent once",
}


def check(order: Payload, scales: Scales) -> list[Finding]:
    """Every rule the order breaks."""
    lines = objects(order, "lineItems")
    found: list[Finding] = []
    ordered: dict[str, Quantity] = {}
    for at, line in lines:
        name, quantity = text(line, "id"), number(line, "quantity")
        if name is not None:
            if name in ordered:
                found.append(_repeated("lineItems", at))
            ordered[name] = quantity
        found += _line_item(at, line, name, quantity)
    if not lines and "lineItems" in order and order["lineItems"] in (None, []):
        message = "must hold at least one item: leave orders without lines out of the mapping"
        found.append(Finding("no_line_items", "lineItems", message))
    found += _head(order)
    if order.get("transactions"):
        found += _transactions(order, scales)
    if order.get("fulfillments"):
        found += _fulfillments(order, ordered)
    if order.get("refunds"):
        found += _refunds(order, ordered)
    found += protection(lines)
    return found


def noted(payload: Payload, notes: Sequence[Note]) -> Iterator[Finding]:
    """The rules that are broken by what was noticed while the payload was read."""
    for path, note in located(payload, notes):
        if note.about == "decimals":
            yield Finding("amount_decimals", path, "has digits beyond its currency's decimals")
        elif note.about == "null":
            yield Finding("null_entry", f"{path}[{note.at}]", "must not be NULL, nor have a NULL in it")
        elif path.startswith("refunds["):
            yield Finding("negative_refund", path, f"{_NOT_NEGATIVE}: refunds are sent as positive amounts")
        elif ".taxLines[" not in path:
            yield Finding("negative_amount", path, _NOT_NEGATIVE)


def objects(parent: Mapping[str, Any], name: str) -> Sequence[tuple[int, Payload]]:
    """The objects of a list field with their indexes; none when it is no list."""
    rows = parent.get(name)
    return [(at, row) for at, row in enumerate(rows) if type(row) is dict] if rows and type(rows) is list else ()


def text(parent: Mapping[str, Any], name: str) -> str | None:
    """An id or text as it is sent; None for another type."""
    value = parent.get(name)
    if type(value) is str:
        return value
    return str(value) if type(value) is int else None


def number(parent: Mapping[str, Any], name: str) -> Quantity:
    """A number that the models take; None for any other: there is no reckoning with a million digits."""
    value = parent.get(name)
    if type(value) is int:
        return value
    return value if type(value) is Decimal and is_short(value) else None


def _head(order: Payload) -> Iterator[Finding]:
    """What an order has once."""
    given = text(order, "id")
    if given is not None and (len(given) > LONGEST_ID or "\0" in given):
        yield Finding("order_id", "id", f"must have {LONGEST_ID} characters at most, and no zero byte")
    customer = order.get("customer")
    address = text(customer, "email") if isinstance(customer, dict) else None
    if address is not None and not email.usual(address):
        if email.valid(address):
            yield Finding("email_unusual", "customer.email", "is an unusual email address")
        else:
            message = "must be an email address such as name@example.com, without spaces"
            yield Finding("email", "customer.email", message)
    for name in ("presentmentCurrency", "shopCurrency"):
        code = order.get(name)
        if type(code) is str and code not in CURRENCIES:
            yield _currency(name, code)
    for name in ("shippingAddress", "billingAddress"):
        place = order.get(name)
        country = text(place, "countryCode") if isinstance(place, dict) else None
        if country is not None and country not in COUNTRIES:
            yield Finding("country_code", f"{name}.countryCode", "must be one of ISO 3166-1's codes of two capitals")


def _currency(path: str, code: str) -> Finding:
    if len(code) == 3 and code.isascii() and code.isalpha() and code.isupper():
        return Finding("currency_not_active", path, _ACTIVE)
    return Finding("currency_code", path, _CURRENCY)


def _transactions(order: Payload, scales: Scales) -> Iterator[Finding]:
    for at, transaction in objects(order, "transactions"):
        code, amount = text(transaction, "currency"), number(transaction, "amount")
        if code is not None and code not in CURRENCIES:
            yield _currency(f"transactions[{at}].currency", code)
        if type(amount) is Decimal:
            transaction["amount"], lost = scales.of(code).number(amount)
            if lost:
                yield Finding(
                    "amount_decimals", f"transactions[{at}].amount", "has digits beyond its currency's decimals"
                )


def _line_item(at: int, line: Payload, name: str | None, quantity: Quantity) -> list[Finding]:
    found: list[Finding] = []
    if name is not None and "_" in name:
        hint = "must not contain an underscore: replace it, e.g. replace(id, '_', '-')"
        found.append(Finding("line_item_id_underscore", f"lineItems[{at}].id", hint))
    if _blank(line.get("sku")):
        found.append(Finding("empty_sku", f"lineItems[{at}].sku", _EMPTY))
    if _blank(line.get("title")):
        found.append(Finding("empty_title", f"lineItems[{at}].title", _EMPTY))
    if quantity is not None and quantity < 0:
        found.append(Finding("negative_quantity", f"lineItems[{at}].quantity", _NOT_NEGATIVE))
    if line.get("returnableQuantity") is not None:
        found += _returnable(at, line, quantity)
    return found


def _blank(value: object) -> bool:
    return type(value) is str and not value.strip()


def _returnable(at: int, line: Payload, quantity: Quantity) -> Iterator[Finding]:
    returnable = number(line, "returnableQuantity")
    if returnable is None or quantity is None:
        return
    fitting = max(0, min(returnable, quantity))
    if fitting != returnable:
        message = _NOT_NEGATIVE if returnable < 0 else "must be at most the line's quantity"
        line["returnableQuantity"] = fitting
        yield Finding("returnable_quantity", f"lineItems[{at}].returnableQuantity", message)


def _fulfillments(order: Payload, ordered: Mapping[str, Quantity]) -> Iterator[Finding]:
    """`ordered`: the quantity of each line item, None where it can't be told."""
    left = dict(ordered)
    fulfillments = objects(order, "fulfillments")
    yield from _unique("fulfillments", fulfillments)
    for at, fulfillment in fulfillments:
        gone = []
        for place, line in objects(fulfillment, "lineItems"):
            name, quantity = text(line, "id"), number(line, "quantity")
            rule, field, message = "", "quantity", ""
            if name is not None and name not in left:
                gone.append(place)
                rule, field, message = "fulfilled_line_gone", "id", _NO_LINE
            elif quantity is not None and quantity < 0:
                rule, message = "negative_quantity", _NOT_NEGATIVE
            elif quantity is not None and name is not None and (rest := left[name]) is not None:
                left[name] = rest - quantity
                if rest < quantity:
                    rule, message = "over_fulfilled", "makes the fulfilled quantity larger than the ordered one"
            if rule:
                yield Finding(rule, f"fulfillments[{at}].lineItems[{place}].{field}", message)
        _leave_out(fulfillment, gone)


def _refunds(order: Payload, known: Mapping[str, Quantity]) -> Iterator[Finding]:
    """`known`: the line items by id."""
    refunds = objects(order, "refunds")
    yield from _unique("refunds", refunds)
    for at, refund in refunds:
        gone = []
        for place, line in objects(refund, "lineItems"):
            name = text(line, "lineItemId")
            if name is not None and name not in known:
                gone.append(place)
                where = f"refunds[{at}].lineItems[{place}].lineItemId"
                yield Finding("refunded_line_gone", where, f"{_NO_LINE}: Redo ignores any other")
        _leave_out(refund, gone)


def _leave_out(parent: Payload, places: Sequence[int]) -> None:
    if places:
        without = {*places}
        parent["lineItems"] = [row for at, row in enumerate(parent["lineItems"]) if at not in without]


def _unique(field: str, rows: Sequence[tuple[int, Payload]]) -> Iterator[Finding]:
    seen: set[str] = set()
    for at, row in rows:
        name = text(row, "id")
        if name in seen:
            yield _repeated(field, at)
        elif name is not None:
            seen.add(name)


def _repeated(field: str, at: int) -> Finding:
    return Finding("duplicate_id", f"{field}[{at}].id", f"must be unique within the order: {_UNIQUE[field]}")
