"""The canonical form of an order and its fingerprint: the same for orders that are the same to Redo.

These make no difference: the order of tags and of lists whose objects have identities, how a number is written (`10.0`,
`10.00`), and whether an optional field is absent, null or empty. A transaction's free-form fields stay as they are but
for the spelling of numbers. Works on the camelCase payload.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Mapping
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

_ALL: Final[Ignored] = {}
"""Nothing is ignored."""
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
    return fingerprint_of(parts(canonical(payload, ignored)))


def parts(form: Mapping[str, Any]) -> dict[str, bytes]:
    """The JSON of each field of what `canonical` made."""
    return {name: orjson.dumps(value, None, orjson.OPT_SORT_KEYS) for name, value in form.items()}


def fingerprint_of(fields: Mapping[str, bytes]) -> bytes:
    """The fingerprint of what `parts` made."""
    whole = dump({name: orjson.Fragment(part) for name, part in fields.items()})
    return VERSION + hashlib.sha256(whole).digest()


def dump(value: object) -> bytes:
    """Compact JSON with sorted keys."""
    return orjson.dumps(value, option=orjson.OPT_SORT_KEYS)


def canonical(payload: Mapping[str, Any], ignored: Ignored) -> dict[str, Any]:
    """The canonical form, for `dump`: numbers that aren't 64-bit integers are orjson Fragments."""
    if ignored:
        payload = {name: value for name, value in payload.items() if ignored.get(name) != {}}
    form = dict(payload)
    for name, value in payload.items():
        kind = type(value)
        if kind is str:
            if name == "amount" or name == "rate":
                form[name] = same_amount(value)
        elif value is None:
            del form[name]
        elif kind is dict and "shopMoney" in value and name not in ignored:
            form[name] = _money(value)
        elif kind is dict or kind is list:
            below = ignored.get(name, _ALL)
            if value and (part := canonical(value, below) if kind is dict else _rows(name, value, below)):
                form[name] = part
            else:
                del form[name]
        elif kind is not int or not -(2**63) <= value < 2**64:
            form[name] = same_number(value)
    return form


def _money(pair: Mapping[str, Any]) -> list[str]:
    presentment, shop = pair["presentmentMoney"], pair["shopMoney"]
    amount = same_amount(presentment["amount"])
    other = amount if shop is presentment else same_amount(shop["amount"])
    return [amount, presentment["currencyCode"], other, shop["currencyCode"]]


def _rows(name: str, rows: list[Any], ignored: Ignored) -> list[Any]:
    if name == "transactions":
        formed = [_transaction(row, ignored) for row in rows]
    elif type(rows[0]) is dict:
        formed = [canonical(row, ignored) for row in rows]
    else:
        return sorted(rows) if name == "tags" else rows
    return formed if len(formed) == 1 or name not in IDENTITIES else _sorted(formed, IDENTITIES[name])


def _sorted(rows: list[Any], fields: tuple[str, ...]) -> list[Any]:
    """By identity; those whose identity isn't theirs alone by all that they hold, too."""
    keys: list[Any] = [tuple([row.get(field) or "" for field in fields]) for row in rows]
    if len(set(keys)) < len(rows):
        keys = [(key, dump(row)) for key, row in zip(keys, rows, strict=True)]
    ordered = sorted(keys)
    return rows if ordered == keys else [rows[at] for at in sorted(range(len(rows)), key=keys.__getitem__)]


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
    text = str(value)
    if "E" in text or len(text) > 1000:
        if not value:
            return 0
        if abs(value.adjusted()) > 1000:  # only a free-form number can be this long
            return orjson.Fragment(_scientific(value))
        text = format(value, "f")
    text = same_amount(text)
    return orjson.Fragment(text) if "." in text else integer(int(text))


def _scientific(number: Decimal) -> str:
    sign, digits, exponent = number.as_tuple()
    text = "".join(map(str, digits)).rstrip("0")
    return f"{'-' * sign}{text or '0'}e{int(exponent) + len(digits) - len(text)}"
