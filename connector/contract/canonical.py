"""The canonical form of an order and its fingerprint: the same for orders that are the same to Redo.

These make no difference: the order of tags and of lists whose objects have identities, how a number is written (`10.0`,
`10.00`), and whether an optional field is absent, null or empty. A transaction's free-form fields stay as they are but
for the spelling of numbers. Works on the camelCase payload.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterable, Mapping
from decimal import Decimal
from typing import Any, Final, TypeAlias

import orjson
from pydantic.alias_generators import to_camel

from connector.contract.exact_json import integer

VERSION: Final = b"\x01"
"""Raise it when the canonical form changes: every order is then pushed once more."""

Ignored: TypeAlias = "dict[str, Ignored]"
"""Fields that make no difference, nested as in the order; an empty dict ignores the field as a whole."""

IDENTITIES: Final[Mapping[str, tuple[str, ...]]] = {
    "lineItems": ("id", "lineItemId"),
    "fulfillments": ("id",),
    "refunds": ("id",),
    "shippingLines": ("id",),
    "orderDiscounts": ("discountId",),
    "discounts": ("discountId",),
    "transactions": ("paymentId",),
    "trackingNumbers": ("trackingNumber",),
    "metafields": ("namespace", "key"),
}
"""Lists of objects whose order makes no difference, and the fields that identify an object."""

_TRANSACTION: Final = frozenset({"paymentId", "amount", "currency", "createdDate", "paymentGateway"})


def ignoring(paths: Iterable[str]) -> Ignored:
    """Dotted paths such as `updatedAt` or `lineItems.image` (camelCase or snake_case) as a tree."""
    tree: Ignored = {}
    for path in sorted(paths, key=len, reverse=True):
        *above, last = (to_camel(step) for step in path.split("."))
        level = tree
        for step in above:
            level = level.setdefault(step, {})
        level[last] = {}
    return tree


def fingerprint(payload: Mapping[str, Any], ignored: Ignored) -> bytes:
    """The version and SHA-256 of the canonical form: 33 bytes."""
    return fingerprint_of(canonical(payload, ignored))


def fingerprint_of(form: Mapping[str, Any]) -> bytes:
    """The fingerprint of what `canonical` made."""
    return VERSION + hashlib.sha256(dump(form)).digest()


def dump(value: object) -> bytes:
    """Compact JSON with sorted keys."""
    return orjson.dumps(value, option=orjson.OPT_SORT_KEYS)


def canonical(payload: Mapping[str, Any], ignored: Ignored) -> dict[str, Any]:
    """The canonical form, for `dump`: numbers that aren't 64-bit integers are orjson Fragments."""
    form: dict[str, Any] = {}
    for name, value in payload.items():
        below = ignored.get(name)
        if below == {} or value is None:
            continue
        kind = type(value)
        if kind is str:
            form[name] = same_amount(value) if name == "amount" or name == "rate" else value
        elif kind is list:
            if value:
                form[name] = _rows(name, value, below or {})
        elif kind is dict:
            if below is None and "shopMoney" in value:
                form[name] = _money(value)
            elif part := canonical(value, below or {}):
                form[name] = part
        else:
            form[name] = same_number(value)
    return form


def _money(pair: Mapping[str, Any]) -> list[str]:
    presentment, shop = pair["presentmentMoney"], pair["shopMoney"]
    return [
        same_amount(presentment["amount"]),
        presentment["currencyCode"],
        same_amount(shop["amount"]),
        shop["currencyCode"],
    ]


def _rows(name: str, rows: list[Any], ignored: Ignored) -> list[Any]:
    if name == "transactions":
        formed = [_transaction(row, ignored) for row in rows]
    elif type(rows[0]) is dict:
        formed = [canonical(row, ignored) for row in rows]
    else:
        return sorted(rows) if name == "tags" else rows
    identities = IDENTITIES.get(name)
    if identities is None or len(formed) == 1:
        return formed
    return _sorted(formed, lambda row: tuple(row.get(field) or "" for field in identities))


def _sorted(rows: list[Any], identity: Callable[[Any], tuple[str, ...]]) -> list[Any]:
    if len({identity(row) for row in rows}) == len(rows):
        return sorted(rows, key=identity)
    return sorted(rows, key=lambda row: (identity(row), dump(row)))


def _transaction(row: Mapping[str, Any], ignored: Ignored) -> dict[str, Any]:
    """Redo's fields in canonical form, a gateway's further ones with numbers in one spelling."""
    form = canonical({name: value for name, value in row.items() if name in _TRANSACTION}, ignored)
    for name, value in row.items():
        if name not in _TRANSACTION and ignored.get(name) != {}:
            form[name] = _free(value)
    return form


def _free(value: Any) -> Any:
    if isinstance(value, dict):
        return {name: _free(below) for name, below in value.items()}
    if isinstance(value, list):
        return [_free(below) for below in value]
    return same_number(value) if isinstance(value, int | Decimal) else value


def same_amount(text: str) -> str:
    """A plain decimal string without trailing zeros; other text as it is."""
    if "." in text:
        text = text.rstrip("0").rstrip(".")
    return "0" if text == "-0" else text


def same_number(value: Any) -> Any:
    """A number in one spelling, whatever its type and trailing zeros: an int, or a Fragment of its digits."""
    if type(value) is int:
        return integer(value)
    if type(value) is not Decimal:
        return value
    if not value:
        return 0
    if abs(value.adjusted()) > 1000:  # only a free-form number can be this long
        sign, digits, exponent = value.as_tuple()
        text = "".join(map(str, digits)).rstrip("0")
        return orjson.Fragment(f"{'-' * sign}{text or '0'}e{int(exponent) + len(digits) - len(text)}")
    text = same_amount(format(value, "f"))
    return same_number(int(text)) if "." not in text else orjson.Fragment(text)
