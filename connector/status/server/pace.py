"""How many requests of all visitors together are answered a second, so that they leave the event loop to delivery."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable


class Pace:
    """At most `a_second` in a row, then as many a second: the generic cell rate algorithm
    (https://en.wikipedia.org/wiki/Generic_cell_rate_algorithm). `clock` (s) is monotonic."""

    def __init__(self, a_second: int, clock: Callable[[], float] = time.monotonic) -> None:
        self._every = 1.0 / a_second
        self._clock = clock
        self._due = clock()
        """When the next one would come at an even pace; those of a second may come ahead of it."""
        self._queue = asyncio.Lock()

    def take(self) -> bool:
        """Whether one may be now; it is counted then."""
        if self._wait() > 0:
            return False
        self._due = max(self._due, self._clock()) + self._every
        return True

    async def turn(self, gone: Callable[[], bool]) -> bool:
        """Wait, first come, first served, until one may be; it is counted then. False, and nothing is counted, for one
        that is `gone` by then: peers that ask and hang up delay nobody."""
        async with self._queue:
            while not gone():
                if self.take():
                    return True
                await asyncio.sleep(self._wait())
        return False

    def _wait(self) -> float:
        return self._due - self._clock() - (1.0 - self._every)
