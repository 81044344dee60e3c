"""Orders of uncommon size: read few at a time, and only as the ones before them leave, so that memory stays bounded
whatever the mapping puts into a document.

Knows sizes; must not know how orders are read or delivered.
"""

from __future__ import annotations

import asyncio
from collections.abc import Iterator, Sequence

from connector.model.orders import OrderKey
from connector.pipeline.deliveries import Delivery
from connector.pipeline.ports.entries import Entry

COMMON = 32 * 1024
"""Bytes of a document that may come along with others, however many these are."""
TOGETHER = 8 * 1024 * 1024
"""Bytes of larger documents that are read in one go; one of more is read alone."""
UNDER_WAY = 16 * 1024 * 1024
"""Bytes of larger orders that may be on their way to Redo when more are read."""
WAITING = 2_000
"""So many larger orders wait their turn without keeping others from being taken."""


class LargeOrders:
    """The larger orders that are in work."""

    def __init__(self) -> None:
        self.reads = asyncio.Semaphore(1)
        self._keys: set[OrderKey] = set()
        self._bytes = 0
        self._lighter = asyncio.Event()

    def __contains__(self, key: OrderKey) -> bool:
        """Whether the order takes no room from the others."""
        return key in self._keys and len(self._keys) <= WAITING

    @property
    def exempt(self) -> int:
        """How many orders in work take no room from the others."""
        return min(len(self._keys), WAITING)

    def groups(self, found: Sequence[tuple[Entry, int]]) -> Iterator[list[Entry]]:
        """Entries and the sizes of their documents, as they may be read together. They are in work from now on."""
        group: list[Entry] = []
        size = 0
        for entry, more in found:
            self._keys.add(entry.key)
            if group and size + more > TOGETHER:
                yield group
                group, size = [], 0
            group.append(entry)
            size += more
        if group:
            yield group

    def add(self, entries: Sequence[Entry]) -> None:
        """Orders that are read apart for another reason take no room either."""
        self._keys |= {entry.key for entry in entries}

    async def until_room(self) -> None:
        """Wait until few enough bytes are on their way."""
        while self._bytes >= UNDER_WAY:
            self._lighter.clear()
            await self._lighter.wait()

    def started(self, delivery: Delivery) -> None:
        """It is on its way to Redo from now on."""
        self._bytes += _size(delivery)

    def finished(self, delivery: Delivery) -> None:
        """Redo has answered, or the request was given up."""
        self._bytes -= _size(delivery)
        self._lighter.set()

    def remove(self, key: OrderKey) -> None:
        """The order is in work no more."""
        self._keys.discard(key)


def _size(delivery: Delivery) -> int:
    return 0 if delivery.order is None else len(delivery.order.body)
