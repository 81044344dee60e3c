"""Sets of orders that the guard keeps back until a person, or a bound that was kept, lets them pass. Records only."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum

from connector.model.orders import OrderKey


class HoldKind(StrEnum):
    CHANGES = "changes"
    """Pushes that a sweep found to be needed."""
    REMOVALS = "removals"
    """Orders to be cancelled or deleted at Redo."""
    VANISHED = "vanished"
    """The same, of which it isn't known that they were deleted: only a person lets them go."""
    ENDPOINT = "endpoint"
    """Pushes to an address or store of Redo that is to be approved first."""
    FIRST_FILL = "first_fill"
    """Orders of a first fill that weren't looked at, because nearly all before them were refused."""


class HoldState(StrEnum):
    GATHERING = "gathering"
    """How many there are isn't known yet: they wait for the sweep's end, or for a burst's."""
    HELD = "held"
    """More than the guard lets pass: they wait for a person."""


@dataclass(frozen=True, slots=True)
class Hold:
    """A set of orders that aren't pushed for now. `number` is given by the store; `orders` is how many there are."""

    number: int
    kind: HoldKind
    cause: str
    state: HoldState
    opened_at: float
    orders: int = 0


@dataclass(frozen=True, slots=True)
class HoldSummary:
    """What a person needs to judge a hold: in how many of its orders each field differs (`new` for orders that Redo
    hasn't, `missing` for those that left the mapping), some keys, and their ids at Redo, as far as known."""

    hold: Hold
    fields: Mapping[str, int]
    samples: tuple[OrderKey, ...]
    order_ids: Mapping[OrderKey, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Held:
    """One order of a hold. `fields` differ; `confirm` as in Entry; `order_id` is its id at Redo, empty when that isn't
    known."""

    hold: int
    fields: tuple[str, ...]
    since: float
    confirm: bool = False
    order_id: str = ""
