"""`preview` of single orders: what would be sent, against what Redo last accepted. Pushes and writes nothing."""

from __future__ import annotations

import time
from collections.abc import Sequence
from contextlib import AsyncExitStack
from dataclasses import dataclass
from functools import partial
from typing import Any

from connector.contract.canonical import Ignored, ignoring
from connector.contract.order_builder import RedoContract
from connector.inspect.endpoints import changed_endpoints
from connector.inspect.order_names import keys_meant
from connector.inspect.orders.compare_mappings import MappingReader
from connector.inspect.orders.order_preview import NOT_A_KEY, Accepted, changed_values, preview_one
from connector.inspect.orders.sampling import none_in_mapping, sample_orders
from connector.inspect.store import store_if_any
from connector.model.errors import Problem
from connector.model.orders import OrderKey
from connector.projection import Assembler, Projection
from connector.settings.config import Settings
from connector.wiring import factories


@dataclass(frozen=True, slots=True)
class Previews:
    """`problems` is about how orders were found, not about any of them."""

    orders: list[dict[str, Any]]
    problems: tuple[Problem, ...] = ()


async def preview(settings: Settings, keys: Sequence[str], size: int, *, values: bool = False) -> Previews:
    """What would be sent for the orders, which are named by key or by id at Redo: `key`, `order_id` and `store_id` (as
    the mapping gives them, None when it doesn't), `verdict` (new, changed, unchanged, absent, invalid, unreadable,
    duplicate), `problems`, `warnings` ([{rule, message}]), `changed_fields`, `payload`. Without keys, `size` orders of
    the mapping: the newest by key, the oldest, and others.

    `changed_fields` are a changed order's top-level fields that differ from what Redo accepted; none where the store
    doesn't know them. With `values`, a changed order has `values` too, [{path, old, new}], or None where what Redo
    accepted wasn't kept or can't be opened. Raises ConfigurationError for a key that is none.
    """
    contract = factories.redo_contract(settings)
    projection = await factories.load_projection(settings)
    async with AsyncExitStack() as stack:
        assembler = factories.new_assembler(settings, projection)
        stack.push_async_callback(assembler.aclose)
        if keys:
            wanted, problem = await keys_meant(settings, keys), None
        else:
            sample = await sample_orders(assembler, size, partial(_in_mapping, assembler, contract))
            wanted, problem = [*sample.keys], none_in_mapping(sample, projection)
        accepted = await _accepted(settings, wanted, values=values)
        found = [await preview_one(assembler, contract, key, accepted.get(key)) for key in wanted]
    for one in found:
        if one["sqlstate"] in NOT_A_KEY:
            one["problems"].append(_no_key(one["key"], projection))
        del one["sqlstate"]
        body = one.pop("body")
        if one["order_id"] is None and one["key"] in accepted:
            one["order_id"] = accepted[one["key"]].checkpoint.order_id
        if values and one["verdict"] == "changed":
            one["values"] = _values(accepted[one["key"]], body, ignoring(settings.mapping.ignore))
    return Previews(found, () if problem is None else (problem,))


def _no_key(name: str, projection: Projection) -> str:
    columns = projection.key_columns
    typed = ", ".join(f"{column.name} {column.type}" for column in columns)
    example = ",".join(f'"{column.name}"' for column in columns)
    written = f", written as '[{example}]' with the values in their places" if len(columns) > 1 else ""
    return (
        f"is {name} an order key? That is {projection.order_table} ({typed}){written}; as an id at Redo it is known of "
        "no order that was pushed, refused or held"
    )


async def _in_mapping(assembler: Assembler, contract: RedoContract, keys: Sequence[OrderKey]) -> set[OrderKey]:
    answers = await MappingReader(assembler, contract, time.time()).answers(keys)
    return {key for key, answer in answers.items() if not answer.absent}


def _values(accepted: Accepted, body: bytes, ignored: Ignored) -> list[dict[str, Any]] | None:
    if accepted.payload is None:
        return None
    found = changed_values(accepted.payload, body, ignored)
    return [{"path": path, "old": old, "new": new} for path, old, new in found]


async def _accepted(settings: Settings, keys: Sequence[OrderKey], *, values: bool) -> dict[OrderKey, Accepted]:
    """As the store has it now; none when there is no store yet, or where another address accepted it."""
    change = await changed_endpoints(settings)
    elsewhere = {one.store_id for one in change.left} if change is not None else set()
    async with store_if_any(settings, payloads=values) as store:
        if store is None:
            return {}
        known = (await store.known(keys)).checkpoints
        checkpoints = {key: one for key, one in known.items() if one.store_id not in elsewhere}
        payloads = {key: await store.payload(key, it.place) for key, it in checkpoints.items()} if values else {}
        return {key: Accepted(checkpoint, payloads.get(key)) for key, checkpoint in checkpoints.items()}
