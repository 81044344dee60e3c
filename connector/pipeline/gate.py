"""The gate in front of Redo: how many requests at once, how many a second, and when none at all.

One state, one clock. A closed gate opens by a single probe: one order goes first, and its answer decides. The gate
knows outcomes, not orders, HTTP or ledgers.
"""

from __future__ import annotations

import asyncio
import heapq
import random
import time
from collections.abc import Callable
from dataclasses import dataclass
from itertools import count

from connector.orders import Outcome, OutcomeKind
from connector.pipeline.ports import Lane

FAILURES_TO_CLOSE = 3
"""Different orders that failed in a row: fewer may be the orders' own fault, and one bad order stops nobody else."""


@dataclass(frozen=True, slots=True)
class Backoff:
    """Full jitter: uniform in 0..min(cap, base * 2**attempt), never under `floor` (all in seconds).

    https://aws.amazon.com/blogs/architecture/exponential-backoff-and-jitter/
    """

    base: float
    cap: float
    floor: float = 0.05

    def delay(self, attempt: int) -> float:
        ceiling = min(self.cap, self.base * 2.0 ** min(attempt, 32))
        return max(self.floor, random.uniform(0, ceiling))  # noqa: S311 -- spreads load, guards no secret


ORDER_BACKOFF = Backoff(base=0.5, cap=60.0)
CLOSED_BACKOFF = {
    OutcomeKind.REFUSED: Backoff(base=5.0, cap=300.0, floor=1.0),
    OutcomeKind.THROTTLED: Backoff(base=1.0, cap=60.0, floor=0.2),
    OutcomeKind.UNAVAILABLE: Backoff(base=1.0, cap=30.0, floor=0.2),
    OutcomeKind.UNKNOWN: Backoff(base=1.0, cap=30.0, floor=0.2),
}


@dataclass(frozen=True, slots=True)
class Pause:
    """Why nothing is sent: `reason` fits a metric label, `message` is for people. Clock: seconds since 1970."""

    kind: OutcomeKind
    reason: str
    message: str
    since: float
    until: float
    attempt: int


class Gate:
    """Admission to Redo. `limit`: requests at once; `rate`: requests a second, None for no cap."""

    def __init__(self, limit: int, rate: float | None = None, clock: Callable[[], float] = time.time) -> None:
        self.limit = limit
        self.in_flight = 0
        self.pause: Pause | None = None
        self._rate = rate
        self._clock = clock
        self._next_slot = 0.0
        self._probe: str | None = None
        self._failed: set[str] = set()
        self._waiting: list[tuple[int, int, asyncio.Future[bool]]] = []
        self._order = count()
        self._changed = asyncio.Event()

    def capacity(self) -> int:
        """How many entries are worth taking now: all that the limit allows, one probe, or none."""
        if self.pause is None:
            return self.limit
        return 0 if self._probe is not None or self._clock() < self.pause.until else 1

    async def wait(self) -> None:
        """Until `capacity()` may have grown: the pause ran out or the state changed."""
        self._changed.clear()
        if self.pause is None or self._probe is not None:
            await self._changed.wait()
            return
        timeout = self.pause.until - self._clock()
        if timeout > 0:
            try:
                await asyncio.wait_for(self._changed.wait(), timeout)
            except TimeoutError:
                return

    async def enter(self, order: str, lane: Lane) -> bool:
        """Wait for a place; live orders first. False: the gate closed, so the order goes back to the ledger."""
        if not self._may_pass():
            if self.pause is not None:
                return False
            place: asyncio.Future[bool] = asyncio.get_running_loop().create_future()
            heapq.heappush(self._waiting, (lane, next(self._order), place))
            try:
                admitted = await place
            except asyncio.CancelledError:
                if place.done() and not place.cancelled() and place.result():
                    self._leave()
                raise
            if not admitted:
                return False
        else:
            self.in_flight += 1
            if self.pause is not None:
                self._probe = order
        await self._pace()
        return True

    def leave(self, order: str, outcome: Outcome | None) -> None:
        """The request is over. `outcome` None: it was never sent."""
        if outcome is not None:
            self._observe(order, outcome)
        if order == self._probe:
            self._probe = None
        self._leave()

    def _may_pass(self) -> bool:
        if self.pause is not None:
            return self._probe is None and self._clock() >= self.pause.until
        return self.in_flight < self.limit

    def _leave(self) -> None:
        self.in_flight -= 1
        while self._waiting and self.pause is None and self.in_flight < self.limit:
            _, _, place = heapq.heappop(self._waiting)
            if not place.done():
                self.in_flight += 1
                place.set_result(True)
        self._changed.set()

    async def _pace(self) -> None:
        """Hard cap on requests a second, evenly spaced."""
        if self._rate is None:
            return
        now = self._clock()
        slot = max(now, self._next_slot)
        self._next_slot = slot + 1.0 / self._rate
        if slot > now:
            await asyncio.sleep(slot - now)

    def _observe(self, order: str, outcome: Outcome) -> None:
        probed = order == self._probe
        if outcome.kind in (OutcomeKind.ACCEPTED, OutcomeKind.REJECTED):
            self._failed.clear()
            if probed:
                self.pause = None
            return
        self._failed.add(order)
        everyone = outcome.kind in (OutcomeKind.REFUSED, OutcomeKind.THROTTLED) or outcome.retry_after is not None
        if probed or (self.pause is None and (everyone or len(self._failed) >= FAILURES_TO_CLOSE)):
            self._close(outcome)

    def _close(self, outcome: Outcome) -> None:
        now = self._clock()
        attempt = self.pause.attempt + 1 if self.pause is not None else 0
        since = self.pause.since if self.pause is not None else now
        delay = CLOSED_BACKOFF[outcome.kind].delay(attempt)
        if outcome.retry_after is not None:
            delay = max(delay, outcome.retry_after)
        self.pause = Pause(outcome.kind, outcome.reason, outcome.message, since, now + delay, attempt)
        while self._waiting:
            _, _, place = heapq.heappop(self._waiting)
            if not place.done():
                place.set_result(False)
