"""An order that left the mapping, as a cancelled one: what Redo accepted last, said again with a time of cancelling.

Works on the accepted body, because the order itself can't be assembled any more.
"""

from __future__ import annotations

import json
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any, Final

from connector.contract.fields import utc

REASON: Final = "other"
"""Redo's `cancelReason` for an order of which only its absence is known."""

_LONGEST_INT: Final = 4000
"""Digits that Python reads as an int without being told to."""


def cancelled_payload(body: bytes, now: float) -> dict[str, Any] | None:
    """The payload with `cancelledAt` and `updatedAt` at `now` (seconds since 1970), its numbers with every digit they
    had. None when it is a cancelled order's already."""
    payload: dict[str, Any] = json.loads(body, parse_float=Decimal, parse_int=_integer)
    if payload.get("cancelledAt") is not None:
        return None
    moment = utc(datetime.fromtimestamp(now, UTC))
    return payload | {"cancelledAt": moment, "cancelReason": REASON, "updatedAt": moment}


def _integer(digits: str) -> int | Decimal:
    return int(digits) if len(digits) <= _LONGEST_INT else Decimal(digits)
