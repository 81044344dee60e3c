"""A working day at the demo's OMS: seeded chance decides which edit comes next, and each is committed.

Knows how often what happens; what an edit does to the tables is `edits`'s.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from dataclasses import dataclass
from datetime import timedelta
from enum import StrEnum
from random import Random
from typing import Any, Final

from psycopg import AsyncConnection

from connector.demo.shop import edits
from connector.demo.shop.edit_session import EditSession


class Kind(StrEnum):
    """Each kind of edit, in words for a person."""

    NEW_ORDER = "new order"
    QUANTITY = "quantity changed"
    ITEM_ADDED = "item added"
    ITEM_REMOVED = "item removed"
    SHIPPED = "shipped"
    DELIVERED = "delivered"
    REFUNDED = "refunded"
    CANCELLED = "cancelled"
    EMAIL = "email corrected"
    MOVED = "customer moved"
    RENAMED = "product renamed"
    NOTE = "internal note"
    BINS = "pick bins"
    TOUCHED = "update to the same values"
    STOCK = "stock and audit log"
    ROLLED_BACK = "rolled back"
    SPOILED = "email spoiled"
    MENDED = "emails mended"


WEIGHTS: Final[Mapping[Kind, int]] = {
    Kind.NEW_ORDER: 200,
    Kind.QUANTITY: 120,
    Kind.ITEM_ADDED: 60,
    Kind.ITEM_REMOVED: 40,
    Kind.SHIPPED: 150,
    Kind.DELIVERED: 120,
    Kind.REFUNDED: 40,
    Kind.CANCELLED: 20,
    Kind.EMAIL: 20,
    Kind.MOVED: 20,
    Kind.RENAMED: 4,
    Kind.NOTE: 60,
    Kind.BINS: 60,
    Kind.TOUCHED: 40,
    Kind.STOCK: 60,
    Kind.ROLLED_BACK: 20,
    Kind.SPOILED: 4,
}
"""How often each kind happens, out of their sum."""

_EDITS: Final[Mapping[Kind, Callable[[EditSession], Awaitable[int]]]] = {
    Kind.NEW_ORDER: edits.place_order,
    Kind.QUANTITY: edits.change_quantity,
    Kind.ITEM_ADDED: edits.add_item,
    Kind.ITEM_REMOVED: edits.remove_item,
    Kind.SHIPPED: edits.ship,
    Kind.DELIVERED: edits.deliver,
    Kind.REFUNDED: edits.refund,
    Kind.CANCELLED: edits.cancel,
    Kind.EMAIL: edits.correct_email,
    Kind.MOVED: edits.move,
    Kind.RENAMED: edits.rename_product,
    Kind.NOTE: edits.write_note,
    Kind.BINS: edits.move_bins,
    Kind.TOUCHED: edits.touch,
    Kind.STOCK: edits.count_stock,
    Kind.ROLLED_BACK: edits.change_quantity,
    Kind.SPOILED: edits.spoil_email,
    Kind.MENDED: edits.mend_emails,
}

_MEND_AFTER: Final = 200
"""Steps that a spoiled address stays spoiled."""


@dataclass(frozen=True, slots=True)
class Edit:
    """One transaction: its kind and how many rows it changed for good (0 when it was rolled back)."""

    kind: Kind
    rows: int


class Traffic:
    """Edits over one connection of its own, one transaction at a time.

    Two with the same seed do the same to equal databases. Several may work on one database side by side.
    """

    def __init__(self, conn: AsyncConnection[Any], seed: int) -> None:
        self._random = Random(seed)  # noqa: S311
        self._session = EditSession(conn, self._random)
        self._steps = 0
        self._mend_at = 0

    async def do(self, kind: Kind) -> Edit | None:
        """One edit of this kind, committed; None when no order is in a state for it."""
        self._session.now += timedelta(seconds=1)
        undo = kind is Kind.ROLLED_BACK
        async with self._session.conn.transaction(force_rollback=undo):
            rows = await _EDITS[kind](self._session)
        if kind is Kind.SPOILED and rows:
            self._mend_at = self._steps + _MEND_AFTER
        return Edit(kind, 0 if undo else rows) if rows else None

    async def step(self) -> Edit:
        """One edit of a kind that chance chooses; where it can't be made, a new order instead."""
        self._steps += 1
        if self._session.spoiled and self._steps >= self._mend_at:
            return await self.mend() or Edit(Kind.MENDED, 0)
        kind = self._random.choices(list(WEIGHTS), list(WEIGHTS.values()))[0]
        edit = await self.do(kind)
        while edit is None:
            edit = await self.do(Kind.NEW_ORDER)
        return edit

    async def mend(self) -> Edit | None:
        """Repair every address that was spoiled; None when there is none."""
        return await self.do(Kind.MENDED)

    async def play(self, rate: float, until: asyncio.Event) -> AsyncIterator[Edit]:
        """`rate` edits a second until the event is set, then a last one that mends what is still spoiled.

        The beat is fixed: after a slow edit the next ones follow at once.
        """
        clock = asyncio.get_running_loop()
        beat = clock.time()
        while not until.is_set():
            yield await self.step()
            beat += 1 / rate
            if (pause := beat - clock.time()) > 0:
                await _wait(until, pause)
        if (last := await self.mend()) is not None:
            yield last


async def _wait(until: asyncio.Event, seconds: float) -> None:
    try:
        async with asyncio.timeout(seconds):
            await until.wait()
    except TimeoutError:
        pass
