"""Redo's rules that its JSON schema doesn't state and that one version of an order is enough to check.

They read the camelCase payload and skip values of the wrong type, which the models report: both together find
everything wrong with an order at once. Messages say what to do and never repeat a value.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from decimal import Decimal
from typing import Any, Final

from connector.contract.protection import protection
from connector.contract.schema.money import CURRENCIES
from connector.model.orders import Violation

Payload = Mapping[str, Any]

LONGEST_ID: Final = 255
"""Characters of an order's id."""

_LOCAL: Final = re.compile(r"[A-Za-z0-9!#$%&'*+/=?^_`{|}~-]+(?:\.[A-Za-z0-9!#$%&'*+/=?^_`{|}~-]+)*")
_LABEL: Final = re.compile(r"[A-Za-z0-9](?:[A-Za-z0-9-]{0,61}[A-Za-z0-9])?")


def check(order: Payload) -> list[Violation]:
    """Every rule the order breaks."""
    return [
        *_id(order),
        *_email(order),
        *_currencies(order),
        *_line_items(order),
        *_fulfillments(order),
        *_refunds(order),
        *protection([(f"lineItems[{at}]", line) for at, line in objects(order, "lineItems")]),
    ]


def _id(order: Payload) -> Iterator[Violation]:
    """It is part of an address, and of the checkpoints' keys."""
    given = text(order, "id")
    if given is not None and (len(given) > LONGEST_ID or "\0" in given):
        yield Violation("id", f"must have {LONGEST_ID} characters at most, and no zero byte")


def objects(parent: Payload, name: str) -> Iterator[tuple[int, Payload]]:
    """The objects of a list field with their indexes; none when it is no list."""
    rows = parent.get(name)
    if isinstance(rows, list):
        for at, row in enumerate(rows):
            if isinstance(row, dict):
                yield at, row


def text(parent: Payload, name: str) -> str | None:
    """An id or text as it is sent; None for another type."""
    value = parent.get(name)
    if type(value) is int:
        return str(value)
    return value if type(value) is str else None


def number(parent: Payload, name: str) -> int | Decimal | None:
    value = parent.get(name)
    if type(value) is int:
        return value
    return value if type(value) is Decimal and value.is_finite() else None


def plausible_email(address: str) -> bool:
    """`local@domain.tld` of plain characters (JSON schema's `email`, with the dot that real addresses have)."""
    local, at, domain = address.rpartition("@")
    labels = domain.split(".")
    return (
        bool(at)
        and len(address) <= 254
        and len(labels) > 1
        and _LOCAL.fullmatch(local) is not None
        and all(_LABEL.fullmatch(label) for label in labels)
    )


def _email(order: Payload) -> Iterator[Violation]:
    customer = order.get("customer")
    email = text(customer, "email") if isinstance(customer, dict) else None
    if email is not None and not plausible_email(email):
        yield Violation("customer.email", "must be an email address such as name@example.com, without spaces")


def _currencies(order: Payload) -> Iterator[Violation]:
    message = "must be an active ISO 4217 code in capitals, such as USD"
    for name in ("presentmentCurrency", "shopCurrency"):
        code = text(order, name)
        if code is not None and code not in CURRENCIES:
            yield Violation(name, message)
    for at, transaction in objects(order, "transactions"):
        code = text(transaction, "currency")
        if code is not None and code not in CURRENCIES:
            yield Violation(f"transactions[{at}].currency", message)


def _line_items(order: Payload) -> Iterator[Violation]:
    lines = order.get("lineItems")
    if lines is None or lines == []:
        if "lineItems" in order:
            yield Violation("lineItems", "must hold at least one item: leave orders without lines out of the mapping")
        return
    yield from _unique(order, "lineItems", "returns refer to line items by id")
    for at, line in objects(order, "lineItems"):
        where = f"lineItems[{at}]"
        if "_" in (text(line, "id") or ""):
            yield Violation(f"{where}.id", "must not contain an underscore: replace it, e.g. replace(id, '_', '-')")
        quantity, returnable = number(line, "quantity"), number(line, "returnableQuantity")
        if quantity is not None and quantity < 0:
            yield Violation(f"{where}.quantity", "must not be negative")
        if returnable is not None and returnable < 0:
            yield Violation(f"{where}.returnableQuantity", "must not be negative")
        if quantity is not None and returnable is not None and returnable > quantity:
            yield Violation(f"{where}.returnableQuantity", "must be at most the line's quantity")


def _fulfillments(order: Payload) -> Iterator[Violation]:
    yield from _unique(order, "fulfillments", "sum up the parts of one shipment")
    left = _ordered(order)
    for at, fulfillment in objects(order, "fulfillments"):
        for place, line in objects(fulfillment, "lineItems"):
            where = f"fulfillments[{at}].lineItems[{place}]"
            name, quantity = text(line, "id"), number(line, "quantity")
            if name is not None and name not in left:
                yield Violation(f"{where}.id", "must be the id of a line item of this order")
            elif quantity is not None and quantity < 0:
                yield Violation(f"{where}.quantity", "must not be negative")
            elif quantity is not None and name is not None and (rest := left[name]) is not None:
                left[name] = rest - quantity
                if rest < quantity:
                    yield Violation(f"{where}.quantity", "makes the fulfilled quantity larger than the ordered one")


def _ordered(order: Payload) -> dict[str, int | Decimal | None]:
    """The ordered quantity by line id, None where it can't be told."""
    lines = (line for _, line in objects(order, "lineItems"))
    return {name: number(line, "quantity") for line in lines if (name := text(line, "id")) is not None}


def _refunds(order: Payload) -> Iterator[Violation]:
    yield from _unique(order, "refunds", "each refund is sent once")
    known = _ordered(order)
    for at, refund in objects(order, "refunds"):
        for place, line in objects(refund, "lineItems"):
            name = text(line, "lineItemId")
            if name is not None and name not in known:
                where = f"refunds[{at}].lineItems[{place}].lineItemId"
                yield Violation(where, "must be the id of a line item of this order: Redo ignores any other")
        for field in ("shippingRefunds", "orderLevelRefunds"):
            for place, row in objects(refund, field):
                yield from _positive(row, f"refunds[{at}].{field}[{place}]")


def _positive(row: Payload, where: str) -> Iterator[Violation]:
    for field in ("amountSet", "taxAmountSet"):
        money = row.get(field)
        for side in money.values() if isinstance(money, dict) else ():
            if isinstance(side, dict) and (text(side, "amount") or "").startswith("-"):
                yield Violation(f"{where}.{field}", "must not be negative: refunds are sent as positive amounts")
                break


def _unique(order: Payload, field: str, why: str) -> Iterator[Violation]:
    seen: set[str] = set()
    for at, row in objects(order, field):
        name = text(row, "id")
        if name in seen:
            yield Violation(f"{field}[{at}].id", f"must be unique within the order: {why}")
        elif name is not None:
            seen.add(name)
