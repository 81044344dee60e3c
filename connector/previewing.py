"""`preview` of single orders: what would be sent, against what Redo last accepted. Pushes and writes nothing."""

from __future__ import annotations

import json
import time
from collections.abc import Sequence
from contextlib import AsyncExitStack
from typing import Any, Final

from connector import app
from connector.checkpoints.opening import open_readonly, path_of
from connector.config import Settings
from connector.errors import InvalidOrder, OrderUnreadable
from connector.orders import Document, OrderKey
from connector.pipeline.records import Checkpoint
from connector.projection import Assembler
from connector.projection.sampling import sample
from connector.redo.contract import RedoContract
from connector.redo.digest import changed_fields

_NOT_A_KEY: Final = ("22P02", "22003", "22007", "22008")
"""SQLSTATEs of a text that its type can't be read from."""


async def preview(settings: Settings, keys: Sequence[str], size: int) -> list[dict[str, Any]]:
    """What would be sent for the orders: `key`, `verdict` (new, changed, unchanged, absent, invalid, unreadable,
    duplicate), `problems`, `changed_fields`, `payload`. Without keys, `size` orders from all over the key range.

    `changed_fields` are a changed order's top-level fields that differ from what Redo accepted; none where the store
    doesn't know them.
    """
    contract = app.redo_contract(settings)
    projection = await app.load_projection(settings)
    async with AsyncExitStack() as stack:
        assembler = app.new_assembler(settings, projection)
        stack.push_async_callback(assembler.aclose)
        wanted = [OrderKey(key) for key in keys] or await spread(settings, assembler, size)
        accepted = await _accepted(settings, wanted)
        found = [await preview_one(assembler, contract, key, accepted.get(key)) for key in wanted]
    for one in found:
        if one["sqlstate"] in _NOT_A_KEY:
            key_columns = ", ".join(f"{column.name} {column.type}" for column in projection.key_columns)
            one["problems"].append(f"is {one['key']} an order key? That is {projection.order_table} ({key_columns})")
        del one["sqlstate"]
    return found


async def spread(settings: Settings, assembler: Assembler, size: int) -> Sequence[OrderKey]:
    """Keys from all over the key range."""
    return await sample(
        assembler.projection,
        size,
        await assembler.estimate(),
        read_dsn=app.read_dsn(settings),
        statement_timeout_ms=app.timeout_ms(settings),
    )


async def preview_one(
    assembler: Assembler, contract: RedoContract, key: OrderKey, checkpoint: Checkpoint | None
) -> dict[str, Any]:
    """As `preview`, with the `sqlstate` of what made the order unreadable."""
    try:
        documents = (await assembler.assemble([key])).documents.get(key, ())
    except OrderUnreadable as error:
        return _shown(key, "unreadable", [str(error)], sqlstate=error.sqlstate)
    if not documents:
        return _shown(key, "absent", ["the mapping has no row for this order"])
    if len(documents) > 1:
        return _shown(key, "duplicate", [f"the mapping returns {len(documents)} rows for this order"])
    return _judge(key, documents[0], contract, checkpoint)


def _judge(key: OrderKey, document: Document, contract: RedoContract, checkpoint: Checkpoint | None) -> dict[str, Any]:
    try:
        order = contract.order(document, time.time())
    except InvalidOrder as error:
        return _shown(key, "invalid", [str(violation) for violation in error.violations])
    payload = json.loads(order.body)
    if checkpoint is None:
        return _shown(key, "new", [], payload)
    if checkpoint.fingerprint == order.fingerprint:
        return _shown(key, "unchanged", [], payload)
    return _shown(key, "changed", [], payload, changed_fields(checkpoint.digest, order.digest))


def _shown(
    key: OrderKey,
    verdict: str,
    problems: list[str],
    payload: Any = None,
    changed: Sequence[str] = (),
    sqlstate: str = "",
) -> dict[str, Any]:
    return {
        "key": key,
        "verdict": verdict,
        "problems": problems,
        "changed_fields": [*changed],
        "payload": payload,
        "sqlstate": sqlstate,
    }


async def _accepted(settings: Settings, keys: Sequence[OrderKey]) -> dict[OrderKey, Checkpoint]:
    """Checkpoints as the store has them now; none when there is no store yet."""
    url = settings.checkpoints.url
    if url == "memory:" or not path_of(url).exists():
        return {}
    store = open_readonly(url)
    try:
        return dict((await store.known(keys)).checkpoints)
    finally:
        await store.close()
