"""How long to wait before trying again, the wait itself, and work that a stop ends."""

from __future__ import annotations

import asyncio
import random
from collections.abc import Coroutine
from dataclasses import dataclass
from typing import Any, TypeVar

from connector.model.errors import ConnectorError, LimitExceeded

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Backoff:
    """Uniform between `ceiling * (1 - spread)` and `ceiling`, which is min(cap, base * 2**attempt); never under `floor`
    (all in seconds). A spread of 1 is full jitter.

    https://aws.amazon.com/blogs/architecture/exponential-backoff-and-jitter/
    """

    base: float
    cap: float
    floor: float = 0.05
    spread: float = 1.0

    def delay(self, attempt: int) -> float:
        ceiling = min(self.cap, self.base * 2.0 ** min(attempt, 32))
        return max(self.floor, ceiling * (1.0 - self.spread * random.random()))  # noqa: S311 -- guards no secret


ORDER_BACKOFF = Backoff(base=0.5, cap=3600.0, spread=0.5)
"""Of one order that failed, by how often it did."""
RECONNECT = Backoff(base=0.5, cap=15.0, floor=0.2)
"""Of a connection, or of a station that the OMS, the mapping or the store keeps from its work."""


SMALLER_PAGES = 5
"""After so many attempts the pages that are read are as small as they get: what exceeds a limit even then is tried
again ..."""
LIMITED_SHARE = 10.0
"""... no sooner than after so many times as long as it took."""


def pause_after(error: ConnectorError, attempt: int, seconds: float) -> float:
    """How long what failed, after `seconds`, is not tried again. `attempt`: 0 for the first."""
    pause = RECONNECT.delay(attempt)
    limited = isinstance(error, LimitExceeded) and attempt >= SMALLER_PAGES
    return max(pause, LIMITED_SHARE * seconds) if limited else pause


async def sleep_unless(stop: asyncio.Event, seconds: float) -> None:
    """Sleep, but not past the moment that `stop` is set."""
    try:
        await asyncio.wait_for(stop.wait(), seconds)
    except TimeoutError:
        return


async def unless_stopped(stop: asyncio.Event, work: Coroutine[Any, Any, T]) -> T | None:
    """The work's result, or None when `stop` was set first: then the work was cancelled and has ended."""
    working = asyncio.ensure_future(work)
    stopping = asyncio.ensure_future(stop.wait())
    try:
        await asyncio.wait({working, stopping}, return_when=asyncio.FIRST_COMPLETED)
        if working.done():
            return working.result()
        return None
    finally:
        stopping.cancel()
        working.cancel()
        await asyncio.gather(working, return_exceptions=True)
