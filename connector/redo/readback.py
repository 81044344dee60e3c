"""Which fields differ between an order as it was sent and as Redo shows it: paths only, no values.

Redo's read API (`orders-api-get-order-response`) has another form: amounts are numbers in the order's currency, some
fields have other names, and cancellation, refunds, metafields and transactions are missing. Derived values (totals, a
fulfillment's status, the full name) aren't compared.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterator, Mapping, Sequence
from datetime import datetime, timedelta
from decimal import Decimal, InvalidOperation
from typing import Any, Final, TypeAlias

from connector.contract import exact_json

Json: TypeAlias = Mapping[str, Any]
Same: TypeAlias = Callable[[Any, Any], bool]

_TOLERANCE: Final = Decimal("1e-12")
"""Relative tolerance for numbers: in most languages JSON numbers become binary fractions."""

_LARGEST: Final = 1000
"""Digits before the point from which a number isn't compared as one."""

_LONGEST_ID: Final = 100
"""Characters of an id that a path shows."""

_PRECISION: Final = timedelta(milliseconds=1)
"""Of JavaScript's times, which drop microseconds."""


def differences_to_readback(sent: bytes, answer: Json) -> list[str]:
    """Paths of the body's fields that Redo shows another value of; objects with an id are named by it, as in
    `lineItems[id=77].quantity`.

    Only fields that both the body and the answer have are compared; null is a value. The line items must be the same
    ones.
    """
    order = exact_json.loads(sent)
    shipping, sides = answer.get("shipping"), _sides(order, answer)
    return [
        *_fields(order, answer, "", _ORDER),
        *_part(order, answer, "customer", _CUSTOMER),
        *_part(order, {"shippingAddress": _below(shipping, "address")}, "shippingAddress", _ADDRESS),
        *_part(order, answer, "billingAddress", _ADDRESS),
        *_shipping(order, shipping, sides),
        *([] if sides else ["presentmentCurrency"]),
        *_line_items(order, answer, sides),
        *_fulfillments(order, answer.get("fulfillments")),
    ]


def _same_text(sent: Any, shown: Any) -> bool:
    """Null and empty are the same; whitespace at the ends makes no difference."""
    return _text(sent) == _text(shown)


def _same_name(sent: Any, shown: Any) -> bool:
    return _text(sent).casefold() == _text(shown).casefold()


def _same_phone(sent: Any, shown: Any) -> bool:
    """Redo may write a number without its spaces and dashes."""
    digits = "".join(filter(str.isdigit, _text(sent)))
    return _same_text(sent, shown) or (digits != "" and digits == "".join(filter(str.isdigit, _text(shown))))


def _text(value: Any) -> str:
    return "" if value is None else _plain(value).strip()


def _plain(value: Any) -> str:
    """Of an object or a list, which is no field's value, and may be nested deeply, a text that no value has."""
    return "\0" if isinstance(value, (dict, list)) else str(value)


def _named(name: str) -> str:
    """An id within a path: what doesn't print shows as `?`."""
    return "".join(sign if sign.isprintable() else "?" for sign in name[:_LONGEST_ID])


def _same_number(sent: Any, shown: Any) -> bool:
    one, other = _number(sent), _number(shown)
    return one is not None and other is not None and abs(one - other) <= max(abs(one), abs(other)) * _TOLERANCE


def _number(value: Any) -> Decimal | None:
    try:
        number = Decimal(_text(value))
    except InvalidOperation:
        return None
    return number if number.is_finite() and number.adjusted() < _LARGEST else None


def _same_instant(sent: Any, shown: Any) -> bool:
    try:
        return abs(datetime.fromisoformat(sent) - datetime.fromisoformat(shown)) < _PRECISION
    except (TypeError, ValueError):  # not text, not a time, or a time without a zone
        return False


def _same_tags(sent: Any, shown: Any) -> bool:
    if not isinstance(shown, list):
        return shown is None and not sent
    return {_text(tag) for tag in sent} == {_text(tag) for tag in shown}


_Fields: TypeAlias = Mapping[str, tuple[str, Same]]
"""By the pushed field's name: the read API's name, and how two values are compared."""

_ORDER: Final[_Fields] = {
    "id": ("orderId", _same_text),
    "createdAt": ("createdAt", _same_instant),
    "tags": ("tags", _same_tags),
}
_CUSTOMER: Final[_Fields] = {
    "id": ("id", _same_text),
    "email": ("email", _same_name),
    "phone": ("phoneNumber", _same_phone),
    "firstName": ("firstName", _same_text),
    "lastName": ("lastName", _same_text),
}
_ADDRESS: Final[_Fields] = {
    "address1": ("address1", _same_text),
    "address2": ("address2", _same_text),
    "city": ("city", _same_text),
    "provinceCode": ("province", _same_text),
    "countryCode": ("country", _same_text),
    "zip": ("postalCode", _same_text),
}
_LINE_ITEM: Final[_Fields] = {
    "productId": ("productId", _same_text),
    "variantId": ("variantId", _same_text),
    "title": ("title", _same_text),
    "sku": ("sku", _same_text),
    "quantity": ("quantity", _same_number),
    "image": ("imageUrl", _same_text),
}


def _fields(sent: Json, shown: Json, where: str, fields: _Fields) -> Iterator[str]:
    for name, (theirs, same) in fields.items():
        if name in sent and theirs in shown and not same(sent[name], shown[theirs]):
            yield where + name


def _part(order: Json, answer: Json, name: str, fields: _Fields) -> Iterator[str]:
    """An object of the order, where the answer has it too."""
    sent, shown = order.get(name), answer.get(name)
    if isinstance(sent, dict) and isinstance(shown, dict):
        yield from _fields(sent, shown, f"{name}.", fields)


def _below(parent: Any, name: str) -> Any:
    return parent.get(name) if isinstance(parent, dict) else None


Sides: TypeAlias = tuple[str, ...]
"""Which of a money set's two amounts the answer may show; none when its currency is neither of the order's."""


def _sides(order: Json, answer: Json) -> Sides:
    named = answer.get("currencyCode")
    currencies = {"presentmentMoney": order["presentmentCurrency"], "shopMoney": order["shopCurrency"]}
    return tuple(side for side, currency in currencies.items() if named is None or named == currency)


def _same_amount(money_sets: Sequence[Json], shown: Any, sides: Sides) -> bool:
    return any(
        _same_number(sum((Decimal(money_set[side]["amount"]) for money_set in money_sets), Decimal(0)), shown)
        for side in sides
    )


def _shipping(order: Json, shown: Any, sides: Sides) -> Iterator[str]:
    """The answer has one `method` and one `cost`, the sum, for all shipping lines."""
    lines = order["shippingLines"]
    if not isinstance(shown, dict) or not lines:
        return
    if "method" in shown and not any(_same_text(line["title"], shown["method"]) for line in lines):
        yield "shippingLines[].title"
    if sides and "cost" in shown and not _same_amount([line["priceSet"] for line in lines], shown["cost"], sides):
        yield "shippingLines[].priceSet"


def _line_items(order: Json, answer: Json, sides: Sides) -> Iterator[str]:
    there = _by_id(answer.get("lineItems"))
    for line in order["lineItems"]:
        where, shown = f"lineItems[id={_named(line['id'])}]", there.pop(line["id"], None)
        if shown is None:
            yield where
            continue
        yield from _fields(line, shown, f"{where}.", _LINE_ITEM)
        if sides and "price" in shown and not _same_amount([line["priceSet"]], shown["price"], sides):
            yield f"{where}.priceSet"
        if sides and "discounts" in line and "discount" in shown:
            discounts = [discount["amountSet"] for discount in line["discounts"]]
            if not _same_amount(discounts, shown["discount"] or 0, sides):
                yield f"{where}.discounts"
    yield from (f"lineItems[id={_named(name)}]" for name in there)


def _by_id(rows: Any) -> dict[str, Json]:
    rows = rows if isinstance(rows, list) else []
    return {_plain(row.get("id")): row for row in rows if isinstance(row, dict)}


def _fulfillments(order: Json, shown: Any) -> Iterator[str]:
    """Quantities by line item, since Redo may divide a shipment differently; the rest by the fulfillment's id."""
    if not isinstance(shown, list):
        return
    there = _by_id(shown)
    sent_quantities, shown_quantities = _fulfilled(order["fulfillments"]), _fulfilled(list(there.values()))
    for name in sorted({*sent_quantities, *shown_quantities}):
        if not _same_number(sent_quantities[name], shown_quantities[name]):
            yield f"fulfillments[].lineItems[id={_named(name)}].quantity"
    for row in order["fulfillments"]:
        if (other := there.get(row["id"])) is not None:
            yield from _shipment(row, other, f"fulfillments[id={_named(row['id'])}].")


def _fulfilled(rows: Sequence[Json]) -> defaultdict[str, Decimal]:
    quantities: defaultdict[str, Decimal] = defaultdict(Decimal)
    for row in rows:
        lines = row.get("lineItems")
        for line in lines if isinstance(lines, list) else ():
            quantities[_plain(_below(line, "id"))] += _number(_below(line, "quantity")) or 0
    return quantities


def _shipment(sent: Json, shown: Json, where: str) -> Iterator[str]:
    """Redo shows one of several tracking numbers, and may know of a delivery from the carrier that the order lacks."""
    numbers = sent.get("trackingNumbers") or ()
    for name, theirs, same in (
        ("carrier", "trackingCompany", _same_name),
        ("trackingNumber", "trackingNumber", _same_text),
    ):
        given = [row.get(name) for row in numbers]
        if any(given) and theirs in shown and not any(same(value, shown[theirs]) for value in given):
            yield f"{where}trackingNumbers[].{name}"
    delivered = sent.get("deliveryDate")
    if delivered is not None and "deliveredAt" in shown and not _same_instant(delivered, shown["deliveredAt"]):
        yield f"{where}deliveryDate"
