"""Entries taken from a checkpoint store's ledger, as the pipeline takes them."""

from __future__ import annotations

from collections.abc import Iterable

from connector.model.orders import OrderKey
from connector.pipeline.ports.entries import Entry, Lane, Room
from connector.pipeline.ports.store import CheckpointStore


async def entries_taken(
    store: CheckpointStore,
    limit: int,
    now: float,
    busy: frozenset[OrderKey] = frozenset(),
    lanes: Iterable[Lane] = tuple(Lane),
    *,
    failing: bool = False,
) -> list[Entry]:
    """The next due entries, marked as in flight."""
    return [*(await store.take(Room(limit, now, busy, tuple(lanes), failing))).entries]
