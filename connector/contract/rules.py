"""Redo's rules that its JSON schema doesn't state and that one version of an order is enough to check.

They read the camelCase payload and skip values of the wrong type, which the models report: both together find
everything wrong with an order at once. Messages say what to do and never repeat a value.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Iterator, Mapping, Sequence
from decimal import Decimal
from typing import Any, Final

from connector.contract.protection import protection
from connector.contract.schema.money import CURRENCIES
from connector.model.orders import Violation

Payload = Mapping[str, Any]

LONGEST_ID: Final = 255
"""Characters of an order's id."""

_WORD: Final = r"[A-Za-z0-9!#$%&'*+/=?^_`{|}~-]+"
_LABEL: Final = r"[A-Za-z0-9](?:[A-Za-z0-9-]{0,61}[A-Za-z0-9])?"
_EMAIL: Final = re.compile(rf"{_WORD}(?:\.{_WORD})*@{_LABEL}(?:\.{_LABEL})+")


def check(order: Payload) -> list[Violation]:
    """Every rule the order breaks."""
    lines = objects(order, "lineItems")
    ordered = {name: number(line, "quantity") for _, line in lines if (name := text(line, "id")) is not None}
    return [
        *_id(order),
        *_email(order),
        *_currencies(order),
        *_line_items(order, lines),
        *_fulfillments(order, dict(ordered)),
        *_refunds(order, ordered),
        *protection(lines),
    ]


def _id(order: Payload) -> Iterator[Violation]:
    """It is part of an address, and of the checkpoints' keys."""
    given = text(order, "id")
    if given is not None and (len(given) > LONGEST_ID or "\0" in given):
        yield Violation("id", f"must have {LONGEST_ID} characters at most, and no zero byte")


def objects(parent: Payload, name: str) -> Sequence[tuple[int, Payload]]:
    """The objects of a list field with their indexes; none when it is no list."""
    rows = parent.get(name)
    return [(at, row) for at, row in enumerate(rows) if type(row) is dict] if rows and type(rows) is list else ()


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
    return len(address) <= 254 and _EMAIL.fullmatch(address) is not None


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


def _line_items(order: Payload, lines: Sequence[tuple[int, Payload]]) -> Iterator[Violation]:
    rows = order.get("lineItems")
    if rows is None or rows == []:
        if "lineItems" in order:
            yield Violation("lineItems", "must hold at least one item: leave orders without lines out of the mapping")
        return
    yield from _unique("lineItems", lines, "returns refer to line items by id")
    for at, line in lines:
        if "_" in (text(line, "id") or ""):
            hint = "must not contain an underscore: replace it, e.g. replace(id, '_', '-')"
            yield Violation(f"lineItems[{at}].id", hint)
        quantity, returnable = number(line, "quantity"), number(line, "returnableQuantity")
        if quantity is not None and quantity < 0:
            yield Violation(f"lineItems[{at}].quantity", "must not be negative")
        if returnable is not None and returnable < 0:
            yield Violation(f"lineItems[{at}].returnableQuantity", "must not be negative")
        if quantity is not None and returnable is not None and returnable > quantity:
            yield Violation(f"lineItems[{at}].returnableQuantity", "must be at most the line's quantity")


def _fulfillments(order: Payload, left: dict[str, int | Decimal | None]) -> Iterator[Violation]:
    """`left`: of each line item's quantity what isn't fulfilled yet, None where it can't be told."""
    fulfillments = objects(order, "fulfillments")
    yield from _unique("fulfillments", fulfillments, "sum up the parts of one shipment")
    for at, fulfillment in fulfillments:
        for place, line in objects(fulfillment, "lineItems"):
            name, quantity = text(line, "id"), number(line, "quantity")
            field, message = "quantity", ""
            if name is not None and name not in left:
                field, message = "id", "must be the id of a line item of this order"
            elif quantity is not None and quantity < 0:
                message = "must not be negative"
            elif quantity is not None and name is not None and (rest := left[name]) is not None:
                left[name] = rest - quantity
                if rest < quantity:
                    message = "makes the fulfilled quantity larger than the ordered one"
            if message:
                yield Violation(f"fulfillments[{at}].lineItems[{place}].{field}", message)


def _refunds(order: Payload, known: Collection[str]) -> Iterator[Violation]:
    """`known`: the line items' ids."""
    refunds = objects(order, "refunds")
    yield from _unique("refunds", refunds, "each refund is sent once")
    for at, refund in refunds:
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


def _unique(field: str, rows: Sequence[tuple[int, Payload]], why: str) -> Iterator[Violation]:
    seen: set[str] = set()
    for at, row in rows:
        name = text(row, "id")
        if name in seen:
            yield Violation(f"{field}[{at}].id", f"must be unique within the order: {why}")
        elif name is not None:
            seen.add(name)
