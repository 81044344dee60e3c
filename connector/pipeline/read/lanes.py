"""Whose turn it is to read: one query at a time in a lane, so that a burst of changes doesn't take all connections."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from connector.pipeline.read.batch import BatchSize

PATIENCE = 2.0
"""Seconds after which a live read that isn't over keeps the next one waiting no longer."""


class ReadLane:
    """`beside`: how many that took long may go on beside the one whose turn it is. `among`: the seat that it takes
    turns with."""

    def __init__(self, *, beside: int = 0, among: ReadLane | None = None) -> None:
        self.batch = BatchSize()
        self._turn: asyncio.Semaphore = asyncio.Semaphore(1) if among is None else among._turn
        self._beside = beside

    @asynccontextmanager
    async def turn(self) -> AsyncIterator[None]:
        await self._turn.acquire()
        waits = True

        def overtake() -> None:
            nonlocal waits
            if self._beside:
                waits = False
                self._beside -= 1
                self._turn.release()

        alarm = asyncio.get_running_loop().call_later(PATIENCE, overtake)
        try:
            yield
        finally:
            alarm.cancel()
            if waits:
                self._turn.release()
            else:
                self._beside += 1
