"""The leader's right to push: good for a moment after the server that keeps the lock has answered.

A leader that is cut off, stopped or suspended can't know whether another one leads by now. So it pushes only while its
lease holds, and whoever leads next pushes only once the lease of the one before must be over: both count by clocks that
nobody can set, and neither depends on when the server notices that a session is dead.
"""

from __future__ import annotations

import asyncio
import math
from collections.abc import Callable
from typing import Final

from connector.pipeline.clock import boot_time

LEASE: Final = 1.5
"""Seconds from the moment a question was sent to the server, once it is answered. Long enough for a slow disk there,
and short enough to be waited out after a kill."""
RENEW_EVERY: Final = LEASE / 5
_LOOK_EVERY: Final = 0.02


class Lease:
    """`seconds`: LEASE where a server keeps the lock; 0 where the system does, which gives it to nobody else while this
    process is there: then it holds until it is over. May be used from any thread."""

    def __init__(self, seconds: float = 0.0, clock: Callable[[], float] = boot_time) -> None:
        self.seconds = seconds
        self._clock = clock
        self._from = math.inf
        self._until = 0.0 if seconds else math.inf
        self.over = False
        """It never holds again: another one leads, or this one has ended."""

    def begin(self, former: float) -> None:
        """This process leads, as of now. `former`: seconds of the lease that the one before may still have."""
        self._from = self._clock() + former

    def asked(self) -> float:
        """The moment to give to `renew`; before the question is sent."""
        return self._clock()

    def renew(self, asked: float) -> None:
        """The server has answered through the session that holds the lock: it had it when it was asked."""
        self._until = max(self._until, asked + self.seconds)

    def end(self) -> None:
        self.over = True

    @property
    def held(self) -> bool:
        return not self.over and self._from <= self._clock() < self._until

    @property
    def unanswered(self) -> float:
        """Seconds since the question that was answered last."""
        return max(0.0, self._clock() - self._until + self.seconds)

    async def wait(self) -> bool:
        """Until it holds, without a pause if it does; False once it never will again."""
        while not self.held:
            if self.over:
                return False
            await asyncio.sleep(_LOOK_EVERY)
        return True
