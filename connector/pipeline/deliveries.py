"""What orders come to on their way: settled, or a delivery to Redo. Records only, for every station."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Literal, TypeAlias

from connector.model.orders import NO_MEMBERS, Members, Order, OrderKey, Place, Suspicion
from connector.pipeline.ports.entries import Entry
from connector.pipeline.ports.holds import Held
from connector.pipeline.ports.records import Checkpoint, DeadLetter, Known, Settlement

Missing: TypeAlias = Literal["ignore", "cancel", "delete"]
REMOVAL = "removal"
"""The reason of a dead letter of an order that left the mapping and can't be removed from Redo."""
MAPPING = "mapping"
"""The reason of one that the mapping fails for."""


@dataclass(frozen=True, slots=True)
class Terms:
    """The operator's wishes. `missing`: what becomes of an order that left the mapping; `confirm_after` (s): how long a
    request without an answer may still be carried out; `keep_payload`: keep what Redo accepted."""

    missing: Missing = "ignore"
    confirm_after: float = 60.0
    keep_payload: bool = False


class Result(StrEnum):
    """The label values of `orders_total`."""

    PUSHED = "pushed"
    UNCHANGED = "unchanged"
    REJECTED = "rejected"
    INVALID = "invalid"
    MISSING = "missing"


class Action(StrEnum):
    PUSH = "push"
    CANCEL = "cancel"
    """The last accepted payload again, cancelled."""
    DELETE = "delete"


@dataclass(frozen=True, slots=True)
class Settled:
    """Nothing to send. `result` None: the order is looked at again, so it isn't counted yet."""

    settlement: Settlement
    result: Result | None


@dataclass(frozen=True, slots=True)
class Remembered:
    """What is known about one order. `members`: what the reverse index holds for it; None: that isn't known."""

    checkpoint: Checkpoint | None = None
    dead_letter: DeadLetter | None = None
    leftovers: tuple[Place, ...] = ()
    held: Held | None = None
    members: Members | None = None


NOTHING = Remembered()


def remembered(known: Known, keys: Iterable[OrderKey]) -> dict[OrderKey, Remembered]:
    """By order."""
    return {
        key: Remembered(
            known.checkpoints.get(key),
            known.dead_letters.get(key),
            known.leftovers.get(key, ()),
            known.held.get(key),
            known.members.get(key, NO_MEMBERS),
        )
        for key in keys
    }


@dataclass(frozen=True, slots=True)
class Delivery:
    """One intended request. `order` is what to push, None for a DELETE. `hidden`: a transaction that affected the order
    isn't visible yet: look again after. `displaces`: orders that still have the place, and give way."""

    entry: Entry
    action: Action
    place: Place
    order: Order | None
    remembered: Remembered
    hidden: bool = False
    members: Members = field(default_factory=dict)
    row_digest: bytes = b""
    """Of the row that the order was made of; empty for a removal."""
    suspicions: tuple[Suspicion, ...] = ()
    displaces: tuple[OrderKey, ...] = ()
    line_items: frozenset[int] | None = None
    """Hashes of the order's line items; None: they are those that are remembered."""
    refused: bool = False
    """A removal from where the order isn't any more, while Redo refuses it where it is: its dead letter stays."""

    @property
    def new_members(self) -> Members | None:
        """What the reverse index is to hold for the order, None when it holds exactly that. An order that is confirmed
        may have been displaced since it was taken, and its rows be gone."""
        return None if self.members == self.remembered.members and not self.entry.confirm else self.members
