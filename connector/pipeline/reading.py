"""Assemble a batch of orders, and find the one that breaks it.

A run-time error of the mapping fails the whole query, so a batch that fails for its data is halved until the orders at
fault stand alone: they become dead letters, the others go on.
"""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import dataclass

from connector.errors import OrderUnreadable
from connector.orders import Document, OrderKey
from connector.pipeline.ports import Assembler, Observer
from connector.pipeline.visibility import Hidden, Visibility


@dataclass(frozen=True, slots=True)
class Reading:
    """What one snapshot says of one order, or why it can't be read."""

    key: OrderKey
    documents: tuple[Document, ...]
    hidden: Hidden
    error: OrderUnreadable | None = None


class Reader:
    def __init__(self, assembler: Assembler, visibility: Visibility, observer: Observer) -> None:
        self._assembler = assembler
        self._visibility = visibility
        self._observer = observer

    async def read(self, keys: Sequence[OrderKey]) -> list[Reading]:
        """One reading for each key. Raises SourceUnavailable, MappingBroken."""
        before = self._visibility.opened()
        started = time.perf_counter()
        try:
            assembly = await self._assembler.assemble(keys)
        except OrderUnreadable as error:
            if len(keys) == 1:
                return [Reading(keys[0], (), Hidden(), error)]
            half = len(keys) // 2
            return await self.read(keys[:half]) + await self.read(keys[half:])
        self._observer.assembled(time.perf_counter() - started, len(keys))
        self._visibility.judged_at = time.monotonic()
        hidden = self._visibility.judge(before, assembly.snapshot)
        return [Reading(key, tuple(assembly.documents.get(key, ())), hidden) for key in keys]

    async def look_around(self) -> None:
        """Take a snapshot only to learn which commits have become visible: while Redo is away nothing else would."""
        before = self._visibility.opened()
        assembly = await self._assembler.assemble(())
        self._visibility.judged_at = time.monotonic()
        self._visibility.judge(before, assembly.snapshot)
