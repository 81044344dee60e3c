"""Which top-level fields of an order differ from what Redo accepted, by a CRC-32 of each.

A checkpoint keeps no payload, only this digest beside the fingerprint. Only the fingerprint decides whether an order is
pushed: two values of a field may share a CRC.
"""

from __future__ import annotations

from collections.abc import Mapping
from struct import Struct
from typing import Final
from zlib import crc32

VERSION: Final = b"\x01"
"""Raise it when FIELDS or a field's bytes change: digests of other versions are not compared."""

FIELDS: Final = (
    "id",
    "type",
    "createdAt",
    "updatedAt",
    "presentmentCurrency",
    "shopCurrency",
    "salesChannel",
    "customer",
    "shippingAddress",
    "billingAddress",
    "lineItems",
    "orderDiscounts",
    "shippingLines",
    "fulfillments",
    "transactions",
    "refunds",
    "tags",
    "metafields",
    "cancelledAt",
    "cancelReason",
)
"""Redo's order at the top level, in the digest's own order."""

_NUMBERS: Final = Struct(f">{len(FIELDS)}I")


def digest(fields: Mapping[str, bytes]) -> bytes:
    """The version and the CRC-32 of each field's canonical form as JSON, 0 for a field that has none: 81 bytes."""
    return VERSION + _NUMBERS.pack(*[crc32(fields.get(name, b"")) for name in FIELDS])


def changed_fields(before: bytes, after: bytes) -> tuple[str, ...]:
    """The top-level fields whose canonical forms differ. None when either digest is empty or of another version."""
    if before[:1] != VERSION or after[:1] != VERSION:
        return ()
    old, new = _NUMBERS.unpack_from(before, 1), _NUMBERS.unpack_from(after, 1)
    return tuple(name for name, one, other in zip(FIELDS, old, new, strict=True) if one != other)
