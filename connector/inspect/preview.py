"""`preview` of single orders: what would be sent, against what Redo last accepted. Pushes and writes nothing."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import AsyncExitStack
from typing import Any, Final

from connector.checkpoints.opening import open_if_any
from connector.contract.canonical import Ignored, ignoring
from connector.contract.field_diff import differences, makes_none
from connector.inspect.one_order import Accepted, preview_one
from connector.inspect.waiting import changed_endpoints
from connector.model.orders import OrderKey
from connector.settings.config import Settings
from connector.wiring import factories

_NOT_A_KEY: Final = ("22P02", "22003", "22007", "22008")
"""SQLSTATEs of a text that its type can't be read from."""


async def preview(settings: Settings, keys: Sequence[str], size: int, *, values: bool = False) -> list[dict[str, Any]]:
    """What would be sent for the orders: `key`, `store_id` (as the mapping gives it, None when it doesn't), `verdict`
    (new, changed, unchanged, absent, invalid, unreadable, duplicate), `problems`, `changed_fields`, `payload`. Without
    keys, `size` orders from all over the key range.

    `changed_fields` are a changed order's top-level fields that differ from what Redo accepted; none where the store
    doesn't know them. With `values`, a changed order has `values` too, [{path, old, new}], or None where what Redo
    accepted wasn't kept or can't be opened. Raises ConfigurationError for a key that is none.
    """
    contract = factories.redo_contract(settings)
    projection = await factories.load_projection(settings)
    async with AsyncExitStack() as stack:
        assembler = factories.new_assembler(settings, projection)
        stack.push_async_callback(assembler.aclose)
        wanted = [OrderKey(key) for key in keys] or await assembler.sample(size)
        accepted = await _accepted(settings, wanted, values=values)
        found = [await preview_one(assembler, contract, key, accepted.get(key)) for key in wanted]
    for one in found:
        if one["sqlstate"] in _NOT_A_KEY:
            key_columns = ", ".join(f"{column.name} {column.type}" for column in projection.key_columns)
            one["problems"].append(f"is {one['key']} an order key? That is {projection.order_table} ({key_columns})")
        del one["sqlstate"]
        body = one.pop("body")
        if values and one["verdict"] == "changed":
            one["values"] = _values(accepted[one["key"]], body, ignoring(settings.mapping.ignore))
    return found


def _values(accepted: Accepted, body: bytes, ignored: Ignored) -> list[dict[str, Any]] | None:
    if accepted.payload is None:
        return None
    found = differences(accepted.payload, body)
    return [{"path": path, "old": old, "new": new} for path, old, new in found if not makes_none(path, ignored)]


async def _accepted(settings: Settings, keys: Sequence[OrderKey], *, values: bool) -> dict[OrderKey, Accepted]:
    """As the store has it now; none when there is no store yet, or where another address accepted it."""
    change = await changed_endpoints(settings)
    elsewhere = {one.store_id for one in change.left} if change is not None else set()
    vault = factories.payload_vault(settings) if values else None
    store = await open_if_any(factories.checkpoints(settings), vault)
    if store is None:
        return {}
    try:
        known = (await store.known(keys)).checkpoints
        checkpoints = {key: one for key, one in known.items() if one.store_id not in elsewhere}
        payloads = {key: await store.payload(key, it.place) for key, it in checkpoints.items()} if values else {}
        return {key: Accepted(checkpoint, payloads.get(key)) for key, checkpoint in checkpoints.items()}
    finally:
        await store.close()
