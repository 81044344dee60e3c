"""Once a second: see which commits are visible by now, and remove from the store what is no longer needed.

It must not know who waits for a commit to be visible.
"""

from __future__ import annotations

import asyncio

from connector.pipeline.context import Context
from connector.pipeline.heartbeat import Heartbeat
from connector.pipeline.read.reader import Reader
from connector.pipeline.read.visibility import Visibility

EVERY = 1.0


class Housekeeping:
    """`indexes`: the reverse indexes of the present mapping, of which the store is to keep rows; None: not known."""

    def __init__(
        self, context: Context, reader: Reader, visibility: Visibility, indexes: frozenset[str] | None
    ) -> None:
        self._store = context.store
        self._clock = context.clock
        self._reader = reader
        self._visibility = visibility
        self._indexes = indexes
        self.heartbeat = Heartbeat("visibility", "looking which commits are visible")

    async def step(self) -> None:
        if self._indexes is not None:
            await self._store.forget_indexes(self._indexes)
            self._indexes = None
        with self.heartbeat.resting():
            await asyncio.sleep(EVERY)
        if len(self._visibility) and self._clock.timer() - self._visibility.checked_at > EVERY:
            await self._reader.snapshot()
        await self._visibility.forget_seen()
