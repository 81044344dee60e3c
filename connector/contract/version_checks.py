"""Checks that compare an order with the version that Redo accepted before.

Returns refer to line items by id, so an id must not change; refunds are sent as full sets, so none may vanish. What
later versions are compared with is kept in the checkpoint as the order's traits: line item ids, hashes of products and
refund totals, no customer's data.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator, Mapping
from decimal import Context, Decimal
from hashlib import blake2b
from operator import itemgetter
from typing import Any, Final, TypeAlias
from zlib import crc32

import orjson

from connector.contract import protection
from connector.model.orders import OrderKey, Suspicion

VERSION: Final = b"\x01"
"""Raise it when the traits' form changes: those of other versions are not compared."""

LONGEST: Final = 40
"""Characters of an id that are kept; a longer one ends in its hash."""

_EXACT: Final = Context(prec=200)
_ZERO: Final = Decimal(0)

Lines: TypeAlias = list[tuple[str, int]]
"""Ids with the CRC-32 of product and variant, 0 for the line of Redo's protection."""
Refunds: TypeAlias = list[tuple[str, str, dict[str, str]]]
"""Ids with the quantity taken back, and what was paid back by currency."""
_UNKNOWN: Final[tuple[int, Lines, Refunds]] = (0, [], [])


def traits_of(payload: Mapping[str, Any], store_id: str = "") -> bytes:
    """The traits of a valid payload, the same whatever the order of its lists: the version, then a JSON array of the
    store's hash, the line items and the refunds."""
    lines = sorted([(_short(line["id"]), _product(line)) for line in payload["lineItems"]])
    refunds = payload.get("refunds")
    totals = sorted([_refund(refund) for refund in refunds], key=itemgetter(0)) if refunds else []
    return VERSION + orjson.dumps([crc32(store_id.encode()), lines, totals])


def line_items(traits: bytes) -> frozenset[int]:
    """A signed 64-bit hash of each line item's id and the store: ids are unique within a store only."""
    store, lines, _ = _parsed(traits)
    return frozenset([_hash(store, name) for name, _ in lines])


def suspicions(before: bytes, after: bytes) -> tuple[Suspicion, ...]:
    """What is suspicious about an order's new traits, given the accepted ones. Nothing when either are empty or of
    another version."""
    if before == after or before[:1] != VERSION or after[:1] != VERSION:
        return ()
    _, old_lines, old_refunds = _parsed(before)
    _, new_lines, new_refunds = _parsed(after)
    return (*_changed_ids(old_lines, new_lines), *_shrunk(old_refunds, new_refunds))


def reused(traits: bytes, owners: Mapping[int, OrderKey]) -> tuple[Suspicion, ...]:
    """A warning for each line item that another order has, too. `owners`: which one, by the line item's hash."""
    store, lines, _ = _parsed(traits)
    found = ((name, owners.get(_hash(store, name))) for name, _ in lines) if owners else ()
    return tuple(_reused(name, owner) for name, owner in found if owner is not None)


def _reused(name: str, owner: OrderKey) -> Suspicion:
    message = f"line item {name} is one of order {owner}, too: returns can't tell the two apart"
    return Suspicion("line_item_id_reused", message)


def _parsed(traits: bytes) -> tuple[int, Lines, Refunds]:
    if traits[:1] != VERSION:
        return _UNKNOWN
    store, lines, refunds = orjson.loads(memoryview(traits)[1:])
    return store, lines, refunds


def _short(name: str) -> str:
    if len(name) <= LONGEST:
        return name
    return f"{name[: LONGEST - 17]}~{blake2b(name.encode(), digest_size=8).hexdigest()}"


def _product(line: Mapping[str, Any]) -> int:
    """A hash of product and variant; the sku stands in where there is no variant id. 0 for Redo's protection line:
    it is never returned, so its id may change."""
    if line["sku"] == protection.SKU:
        return 0
    variant = line.get("variantId")
    own = f"v{variant}" if variant is not None else f"s{line['sku']}"
    return crc32(f"{line['productId']}\0{own}".encode()) or 1


def _refund(refund: Mapping[str, Any]) -> tuple[str, str, dict[str, str]]:
    lines = refund.get("lineItems") or ()
    quantity = sum([line["quantity"] for line in lines])
    paid: dict[str, Decimal] = {}
    for money_set in _amounts(refund, lines):
        sides = {side["currencyCode"]: side["amount"] for side in money_set.values()}
        for currency, amount in sides.items():
            paid[currency] = _EXACT.add(paid.get(currency, _ZERO), Decimal(amount))
    return _short(refund["id"]), str(quantity), {name: format(paid[name], "f") for name in sorted(paid)}


def _amounts(refund: Mapping[str, Any], lines: Any) -> Iterator[Mapping[str, Any]]:
    for line in lines:
        yield line["subtotalSet"]
        yield line["totalTaxSet"]
    for field in ("shippingRefunds", "orderLevelRefunds"):
        for row in refund.get(field) or ():
            yield row["amountSet"]
            if row.get("taxAmountSet") is not None:
                yield row["taxAmountSet"]


def _hash(store: int, name: str) -> int:
    return int.from_bytes(blake2b(f"{store}\0{name}".encode(), digest_size=8).digest(), "big", signed=True)


def _changed_ids(old: Lines, new: Lines) -> Iterator[Suspicion]:
    """Products that lost one id and got another, also when the old id is another product's now."""
    before, after = {(name, product) for name, product in old}, {(name, product) for name, product in new}
    came: dict[int, deque[str]] = {}
    for name, product in new:
        if product and (name, product) not in before:
            came.setdefault(product, deque()).append(name)
    for name, product in old:
        if product and (name, product) not in after and came.get(product):
            became = came[product].popleft()
            message = f"line item {name} has become {became}: returns that refer to the old id are orphaned"
            yield Suspicion("line_item_id_changed", message)


def _shrunk(old: Refunds, new: Refunds) -> Iterator[Suspicion]:
    present = {name: (quantity, paid) for name, quantity, paid in new}
    for name, quantity, paid in old:
        if name not in present:
            message = f"refund {name} is gone: send all refunds on every sync"
        elif _smaller(quantity, present[name][0]):
            message = f"refund {name} takes fewer items back than it did"
        elif _pays_less(paid, present[name][1]):
            message = f"refund {name} pays less back than it did"
        else:
            continue
        yield Suspicion("refunds_shrunk", message)


def _pays_less(before: Mapping[str, str], after: Mapping[str, str]) -> bool:
    """Compared in the currencies that both have: amounts in different currencies can't be compared."""
    if not after:
        return any(_smaller(amount, "0") for amount in before.values())
    return any(_smaller(amount, after[currency]) for currency, amount in before.items() if currency in after)


def _smaller(before: str, after: str) -> bool:
    return Decimal(after) < Decimal(before)
