"""One query at a time in a lane, so that a burst of changes doesn't take all connections."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from connector.pipeline.read.batch import BatchSize

PATIENCE = 2.0
"""Seconds after which a read that isn't over may be overtaken by the next one."""


class ReadLane:
    """`overtaken`: how many reads that took longer than PATIENCE may go on while others begin. `sharing`: the lane that
    it takes turns with."""

    def __init__(self, *, overtaken: int = 0, sharing: ReadLane | None = None) -> None:
        self.batch = BatchSize()
        self._turns: asyncio.Semaphore = asyncio.Semaphore(1) if sharing is None else sharing._turns
        self._overtaken = overtaken

    @asynccontextmanager
    async def turn(self) -> AsyncIterator[None]:
        await self._turns.acquire()
        waits = True

        def overtake() -> None:
            nonlocal waits
            if self._overtaken:
                waits = False
                self._overtaken -= 1
                self._turns.release()

        alarm = asyncio.get_running_loop().call_later(PATIENCE, overtake)
        try:
            yield
        finally:
            alarm.cancel()
            if waits:
                self._turns.release()
            else:
                self._overtaken += 1
