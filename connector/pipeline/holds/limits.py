"""How many changed or removed orders are too many to be pushed without a person's approval. Pure."""

from __future__ import annotations

import math
from dataclasses import dataclass

from connector.pipeline.ports.holds import HoldKind

LEAST = 10
"""Fewer orders than this are never an unlikely size, whatever share of a small shop they are."""
NEARLY_ALL = 0.9


def nearly_all(refused: float, orders: int) -> bool:
    """Whether so many are refused that it isn't the orders that are wrong, but what makes them."""
    return refused >= NEARLY_ALL * orders


@dataclass(frozen=True, slots=True)
class Limits:
    """`max_share` and `max_removal_share` are shares of all checkpoints; `removal_wait` in seconds."""

    max_share: float = 0.2
    max_orders: int | None = None
    max_removal_share: float = 0.01
    removal_wait: float = 5.0

    @property
    def off(self) -> bool:
        """No change that a sweep finds is too large."""
        return self.max_share >= 1 and self.max_orders is None

    def bound(self, kind: HoldKind, checkpoints: int) -> float:
        """How many orders may pass unseen, of changes and removals."""
        if kind in (HoldKind.VANISHED, HoldKind.FIRST_FILL):
            return 0
        share = self.max_share if kind is HoldKind.CHANGES else self.max_removal_share
        likely = max(float(LEAST), share * checkpoints) if share < 1 else math.inf
        return likely if self.max_orders is None else min(likely, self.max_orders)
