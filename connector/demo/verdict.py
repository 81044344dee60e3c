"""Judges a run of the demo or of a test: does Redo hold exactly the mapping's present answer?

Compares from outside: the mapping is run whole and unchanged, its rows are put into Redo's form, and every order that
the sandbox stored is set against them. Nothing of the connector's routes, ledger or checkpoints is consulted.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from decimal import Decimal
from typing import Any

import psycopg

from connector.contract.canonical import fingerprint, ignoring
from connector.contract.order_builder import RedoContract
from connector.model.errors import InvalidOrder
from connector.model.orders import Order

IGNORED = ("updatedAt",)


@dataclass(frozen=True, slots=True)
class Verdict:
    """Redo's order ids. `missing`: Redo has none; `stale`: it holds something else; `extra`: the mapping has none;
    `refused`: not acceptable to Redo as they are, so Redo must hold an older state or none."""

    orders: int
    missing: tuple[str, ...]
    stale: tuple[str, ...]
    extra: tuple[str, ...]
    refused: tuple[str, ...]

    @property
    def clean(self) -> bool:
        return not (self.missing or self.stale or self.extra)

    def __str__(self) -> str:
        if self.clean:
            return f"all {self.orders} orders at Redo equal the mapping's answer"
        parts = [
            f"{len(ids)} {name} ({', '.join(ids[:5])}{', ...' if len(ids) > 5 else ''})"
            for name, ids in (("missing", self.missing), ("stale", self.stale), ("extra", self.extra))
            if ids
        ]
        return f"of {self.orders} orders at Redo: " + "; ".join(parts)


def compare(dsn: str, mapping: str, stored: Mapping[str, Mapping[str, Any]], timezone: str = "UTC") -> Verdict:
    """Blocks. `stored`: the sandbox's orders by id, numbers with a fraction as Decimal."""
    ignored = ignoring(IGNORED)
    orders, refused = answer(dsn, mapping, timezone)
    expected = {
        order_id: fingerprint(json.loads(order.body, parse_float=Decimal), ignored)
        for order_id, order in orders.items()
    }
    held = {order_id: fingerprint(order, ignored) for order_id, order in stored.items()}
    return Verdict(
        len(held),
        tuple(sorted(expected.keys() - held.keys())),
        tuple(sorted(order_id for order_id in expected.keys() & held.keys() if expected[order_id] != held[order_id])),
        tuple(sorted(held.keys() - expected.keys() - set(refused))),
        tuple(sorted(refused)),
    )


def answer(dsn: str, mapping: str, timezone: str = "UTC") -> tuple[dict[str, Order], list[str]]:
    """Blocks. The mapping run whole: its orders as Redo takes them, by id, and the ids of what it would refuse."""
    contract = RedoContract(timezone, IGNORED)
    orders: dict[str, Order] = {}
    refused: list[str] = []
    with psycopg.connect(dsn, options="-c timezone=UTC -c datestyle=ISO") as conn:
        statement = f"SELECT row_to_json(m)::text FROM ({mapping.strip().rstrip(';')}\n) AS m"  # noqa: S608
        for (text,) in conn.execute(statement.encode()):
            document = json.loads(text, parse_float=Decimal)
            try:
                order = contract.order(document, 0.0)
            except InvalidOrder:
                refused.append(str(document.get("id")))
                continue
            orders[order.order_id] = order
    return orders, refused
