"""What must hold once everything is quiet, and what is told when it doesn't.

Looks from outside: the mapping run whole on one side, the bodies that Redo holds on the other. Of the connector it asks
only which orders it believes to be at Redo and which it gave up.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from decimal import Decimal
from typing import Any

from connector.contract.canonical import fingerprint, ignoring
from connector.contract.field_diff import differences
from connector.demo.verdict import IGNORED, answer
from connector.model.orders import OrderKey
from connector.pipeline.ports.store import CheckpointStore
from connector.sandbox.state import State
from connector.sandbox.store import Flight

_IGNORED = ignoring(IGNORED)


@dataclass(slots=True)
class RecordingState(State):
    """A sandbox that notices when an order is sent again with nothing changed."""

    accepted: dict[str, bytes] = field(default_factory=dict)
    alike: list[str] = field(default_factory=list)

    def land(self, flight: Flight, body: bytes | None) -> str:
        if body is not None:
            form = same_form(body)
            if self.accepted.get(flight.order_id) == form:
                self.alike.append(flight.order_id)
            self.accepted[flight.order_id] = form
        return State.land(self, flight, body)


def same_form(body: bytes) -> bytes:
    return fingerprint(json.loads(body, parse_float=Decimal), _IGNORED)


@dataclass(frozen=True, slots=True)
class Wrong:
    """`order_id` is Redo's, empty when the complaint is about none in particular."""

    order_id: str
    what: str
    details: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Believed:
    """Order ids that the connector thinks Redo holds as they are now, and how many orders it gave up, by reason."""

    present: frozenset[str]
    given_up: Mapping[str, int]


async def believed(memory: CheckpointStore) -> Believed:
    keys: list[OrderKey] = []
    while page := await memory.page_checkpoints(keys[-1] if keys else None, 500):
        keys += page
    known = await memory.known(keys)
    letters = await memory.dead_letters(None, 10_000)
    reasons = [letter.reason for letter in letters]
    present = frozenset(checkpoint.order_id for checkpoint in known.checkpoints.values())
    return Believed(present, {reason: reasons.count(reason) for reason in reasons})


def judge(dsn: str, mapping: str, state: RecordingState, belief: Believed) -> list[Wrong]:
    """Blocks. Everything that is not as it must be."""
    orders, refused = answer(dsn, mapping)
    wrong = []
    for order_id, order in orders.items():
        held = state.orders.get(order_id)
        if held is None:
            wrong.append(Wrong(order_id, "is missing at Redo"))
        elif same_form(held) != same_form(order.body):
            wrong.append(Wrong(order_id, "is stale at Redo", tuple(_shown(held, order.body))))
    forgotten, gone = orders.keys() - belief.present, belief.present - orders.keys() - set(refused)
    wrong += [Wrong(order_id, "has no checkpoint, or one marked as missing") for order_id in sorted(forgotten)]
    wrong += [Wrong(order_id, "has left the mapping unnoticed") for order_id in sorted(gone)]
    wrong += [Wrong(order_id, "was pushed although nothing had changed") for order_id in dict.fromkeys(state.alike)]
    if belief.given_up != ({"invalid": len(refused)} if refused else {}):
        wrong.append(Wrong("", f"dead letters are {dict(belief.given_up)}, refused are {len(refused)}"))
    return wrong


def _shown(held: bytes, expected: bytes) -> Iterator[str]:
    for path, old, new in differences(held, expected):
        if path not in IGNORED:
            yield f"{path}: holds {_short(old)}, expected {_short(new)}"


def _short(value: Any) -> str:
    text = json.dumps(value, default=str)
    return text if len(text) < 100 else f"{text[:97]}..."
