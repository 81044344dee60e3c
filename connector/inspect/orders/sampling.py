"""Orders of the mapping from all over the key range: for `check` and `preview`, which judge the mapping by them.

The order table may hold what the mapping leaves out: carts, drafts, orders of another kind. So more keys are read than
are wanted, and those count that the mapping has a row for.
"""

from __future__ import annotations

import time
from collections.abc import Awaitable, Callable, Collection, Iterable, Sequence
from dataclasses import dataclass
from hashlib import blake2b
from typing import Final, TypeAlias

from connector.model.errors import Problem
from connector.model.orders import OrderKey
from connector.projection import Assembler, Projection

_ENOUGH: Final = 1_200
"""Keys that are looked at before it is given up, if that many orders aren't wanted."""
_BATCH: Final = 50
_PATIENCE: Final = 20.0
"""Seconds after which no further batch is read."""

InMapping: TypeAlias = Callable[[Sequence[OrderKey]], Awaitable[Collection[OrderKey]]]
"""Reads some keys by the mapping, and says which of them are orders there, whether fit for Redo or not."""


@dataclass(frozen=True, slots=True)
class Sample:
    """`keys` are orders of the mapping; `looked_at` counts all that were read for them."""

    keys: tuple[OrderKey, ...]
    looked_at: int


async def sample_orders(assembler: Assembler, wanted: int, in_mapping: InMapping) -> Sample:
    """Up to `wanted` orders: the newest by key, the oldest and others, in turn. The same ones again while the table
    stays the same. Raises as the assembler and `in_mapping` do."""
    found: list[OrderKey] = []
    seen: set[OrderKey] = set()
    give_up = time.monotonic() + _PATIENCE
    for size in (2 * wanted, max(_ENOUGH, 4 * wanted)):
        new = [key for key in await _candidates(assembler, size) if key not in seen]
        while new and len(found) < wanted and time.monotonic() < give_up:
            step = min(_BATCH, wanted - len(found) if not seen else _BATCH)
            batch, new = new[:step], new[step:]
            seen.update(batch)
            there = await in_mapping(batch)
            found += [key for key in batch if key in there]
    return Sample(tuple(found[:wanted]), len(seen))


async def _candidates(assembler: Assembler, size: int) -> list[OrderKey]:
    part = -(-size // 3)
    spread = sorted(await assembler.sample(part), key=lambda key: blake2b(key.encode(), digest_size=8).digest())
    return _in_turn(await assembler.newest(part), (await assembler.scan(None, part)).keys, spread)


def _in_turn(*lines: Iterable[OrderKey]) -> list[OrderKey]:
    """One of each line after the other, each key once."""
    taken: dict[OrderKey, None] = {}
    left = [iter(line) for line in lines]
    while left:
        for line in [*left]:
            key = next((key for key in line if key not in taken), None)
            if key is None:
                left.remove(line)
            else:
                taken[key] = None
    return [*taken]


def none_in_mapping(sample: Sample, projection: Projection) -> Problem | None:
    """A warning where keys were read and none of them is an order of the mapping."""
    if sample.keys or not sample.looked_at:
        return None
    what = f"of {sample.looked_at:,} sampled keys of {projection.order_table} none is in the mapping"
    hint = "fine where it has no such orders yet; else look at what the mapping's WHERE and inner joins leave out"
    return Problem(what, hint, projection.path, warning=True)
