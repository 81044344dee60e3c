"""What one order would be sent as, against what Redo last accepted. Pushes and writes nothing."""

from __future__ import annotations

import json
import time
from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any, Final

from connector.contract.canonical import Ignored
from connector.contract.field_diff import differences, makes_none
from connector.contract.field_digest import changed_fields
from connector.contract.order_builder import RedoContract
from connector.model.errors import InvalidOrder, LimitExceeded, OrderUnreadable
from connector.model.off_loop import off_loop, pausing
from connector.model.orders import Document, Order, OrderKey, order_id_of
from connector.model.rows import Row
from connector.pipeline.ports.protocols import Assembler
from connector.pipeline.ports.records import Checkpoint

NOT_A_KEY: Final = ("22P02", "22003", "22007", "22008")
"""SQLSTATEs of a text that the order key's type can't be read from."""


@dataclass(frozen=True, slots=True)
class Accepted:
    """What Redo last accepted for an order. `payload` only where values were asked for, and one was kept."""

    checkpoint: Checkpoint
    payload: bytes | None = None


async def preview_one(
    assembler: Assembler, contract: RedoContract, key: OrderKey, accepted: Accepted | None
) -> dict[str, Any]:
    """As `preview`, with the `sqlstate` of what made the order unreadable, and the payload's `body` as it is sent."""
    try:
        assembly = await assembler.assemble([key])
    except OrderUnreadable as error:
        return _shown(key, "unreadable", [str(error)], sqlstate=error.sqlstate)
    except LimitExceeded as error:
        return _shown(key, "unreadable", [str(error)])
    if key in assembly.misfits:
        return _shown(key, "unreadable", ["its text is no order key's"], sqlstate=NOT_A_KEY[0])
    rows = assembly.rows.get(key, ())
    if not rows:
        return _shown(key, "absent", ["the mapping has no row for this order"])
    if len(rows) > 1:
        return _shown(key, "duplicate", [f"the mapping returns {len(rows)} rows for this order"])
    checkpoint = accepted.checkpoint if accepted is not None else None
    return await off_loop(partial(_judge, rows[0], contract, checkpoint))


def changed_values(before: bytes, after: bytes, ignored: Ignored) -> list[tuple[str, Any, Any]]:
    """Path, old and new of each value that differs, unless that alone makes no difference."""
    return [change for change in differences(before, after) if not makes_none(change[0], ignored)]


def _judge(row: Row, contract: RedoContract, checkpoint: Checkpoint | None) -> dict[str, Any]:
    try:
        document = row.document()
    except OrderUnreadable as error:
        return _shown(row.key, "unreadable", [str(error)], sqlstate=error.sqlstate)
    found = _compared(row.key, document, contract, checkpoint)
    store_id, order_id = document.get("store_id", document.get("storeId")), order_id_of(document.get("id"))
    return found | {"store_id": store_id, "order_id": order_id or None}


def _compared(
    key: OrderKey, document: Document, contract: RedoContract, checkpoint: Checkpoint | None
) -> dict[str, Any]:
    try:
        order = contract.order(document, time.time())
    except InvalidOrder as error:
        return _shown(key, "invalid", [str(violation) for violation in error.violations])
    return _verdict(key, order, checkpoint) | {"warnings": _warnings(order, contract, checkpoint)}


def _verdict(key: OrderKey, order: Order, checkpoint: Checkpoint | None) -> dict[str, Any]:
    if checkpoint is None:
        return _shown(key, "new", [], order.body)
    if checkpoint.fingerprint == order.fingerprint and checkpoint.place == order.place and not checkpoint.missing:
        return _shown(key, "unchanged", [], order.body)
    moved = ("store_id",) if checkpoint.store_id != order.store_id else ()
    return _shown(key, "changed", [], order.body, (*moved, *changed_fields(checkpoint.digest, order.digest)))


def _warnings(order: Order, contract: RedoContract, checkpoint: Checkpoint | None) -> list[dict[str, str]]:
    """The rules that the order breaks, by itself and beside what Redo accepted."""
    beside = contract.suspicions(checkpoint.traits, order.traits) if checkpoint is not None else ()
    return [{"rule": one.kind, "message": one.message} for one in (*order.warnings, *beside)]


def _shown(
    key: OrderKey,
    verdict: str,
    problems: list[str],
    body: bytes | None = None,
    changed: Sequence[str] = (),
    sqlstate: str = "",
) -> dict[str, Any]:
    return {
        "key": key,
        "order_id": None,
        "store_id": None,
        "verdict": verdict,
        "problems": problems,
        "warnings": [],
        "changed_fields": [*changed],
        "payload": None if body is None else json.loads(body, object_hook=pausing(len(body))),
        "body": body,
        "sqlstate": sqlstate,
    }
