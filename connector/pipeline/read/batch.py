"""How many orders one query reads, fewer once a query ran into a limit of the server's, and slowly more again. And
lanes: one query at a time in each, so that a burst of changes doesn't take all connections."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator, Iterator, Sequence
from contextlib import asynccontextmanager, contextmanager

from connector.model.errors import LimitExceeded
from connector.pipeline.ports.entries import Entry

BATCH = 200
SHRINK = 4
"""What ran into a limit is followed by batches of so many times fewer."""
GROW = 4
"""A batch that took less than half of what was too long is followed by one larger by this part of it."""
TRIED_ANYWAY = 10
"""So does one in so many."""
AGAIN_BRIEF = 20
"""After so many queries that needed little time, the next have little again."""
WAYS = 8
"""What was read together and took too long is read apart in so many parts: of three rounds, one order is left."""
PATIENCE = 2.0
"""Seconds after which a read that isn't over may be overtaken by the next one."""


class BatchSize:
    """Of one lane, or of the pages of one walk."""

    def __init__(self, most: int = BATCH) -> None:
        self.size = self._most = most
        self.brief = True
        """Whether a query has little time, which most need even less of: an order that is slow is found the sooner."""
        self._too_long = 0.0
        self._needed = 0.0
        self._passed = self._full = 0

    @contextmanager
    def page(self) -> Iterator[int]:
        """How large a page may be, while it is read."""
        size, began = self.size, time.monotonic()
        try:
            yield size
        except LimitExceeded:
            self.exceeded(size, time.monotonic() - began)
            raise
        self.passed(size, time.monotonic() - began)

    def exceeded(self, orders: int, seconds: float) -> None:
        self.size = max(1, min(self.size, orders // SHRINK))
        self._too_long = seconds

    def needs_time(self, seconds: float) -> None:
        """Little time, which was so much, isn't enough for any query."""
        self.brief, self._needed, self._passed = False, seconds, 0

    def passed(self, orders: int, seconds: float) -> None:
        self._passed = self._passed + 1 if 2 * seconds < self._needed else 0
        self.brief = self.brief or self._passed >= AGAIN_BRIEF
        if self.size == self._most or orders < self.size:
            return
        self._full += 1
        if 2 * seconds < self._too_long or self._full >= TRIED_ANYWAY:
            self._full = 0
            self.size = min(self._most, self.size + max(1, self.size // GROW))


class ReadLane:
    """`overtaken`: how many reads that took longer than PATIENCE may go on while others begin. `sharing`: the lane that
    it takes turns with."""

    def __init__(self, *, overtaken: int = 0, sharing: ReadLane | None = None) -> None:
        self.batch = BatchSize()
        self._turns: asyncio.Semaphore = asyncio.Semaphore(1) if sharing is None else sharing._turns
        self._overtaken = overtaken
        self._waiting: list[Entry] = []

    def joined(self, entries: list[Entry]) -> bool:
        """Whether these are read together with others that wait for their turn. If not, they are the ones that wait,
        until `closed`."""
        if self._waiting:
            self._waiting += entries
            return True
        self._waiting = entries
        return False

    def closed(self, entries: Sequence[Entry]) -> None:
        """It is their turn: nothing joins them any more."""
        if entries is self._waiting:
            self._waiting = []

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


def divided(entries: Sequence[Entry]) -> Iterator[Sequence[Entry]]:
    """What took too long together, in parts to be read one by one."""
    step = max(1, -(-len(entries) // WAYS))
    for at in range(0, len(entries), step):
        yield entries[at : at + step]
