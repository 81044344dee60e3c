"""Servers with limits, and a crowd that pushes to them as admitted, for simulations in virtual time."""

from __future__ import annotations

import asyncio
import math
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field

from connector.model.orders import Outcome, OutcomeKind
from connector.pipeline.deliver.admission import Admission
from connector.pipeline.deliver.rate_limiter import RateLimiter
from connector.pipeline.ports.entries import Lane
from tests.support.virtual_time import VirtualTimeLoop

ACCEPTED = Outcome(OutcomeKind.ACCEPTED, 200)
UNAVAILABLE = Outcome(OutcomeKind.UNAVAILABLE, 503, "http_503")

Limiter = Callable[[float], float | None]
"""At a time: None lets the request pass, else the seconds of Retry-After (negative: the header is absent)."""


class FixedWindow:
    """`limit` requests in each window of `length` seconds. `header` makes Retry-After of the seconds that are left."""

    def __init__(self, limit: int, length: float = 1.0, header: Callable[[float], float] = math.ceil) -> None:
        self.limit, self._length, self._header = limit, length, header
        self._window, self._used = -1, 0

    def __call__(self, now: float) -> float | None:
        window = int(now // self._length)
        if window != self._window:
            self._window, self._used = window, 0
        if self._used >= self.limit:
            return self._header((window + 1) * self._length - now)
        self._used += 1
        return None


class TokenBucket:
    """`limit` requests a second, `burst` at once after a rest."""

    def __init__(self, limit: float, burst: float, retry_after: float = 1.0) -> None:
        self.limit, self._burst, self._retry_after = limit, burst, retry_after
        self._tokens, self._at = burst, 0.0

    def __call__(self, now: float) -> float | None:
        self._tokens = min(self._burst, self._tokens + (now - self._at) * self.limit)
        self._at = now
        if self._tokens < 1:
            return self._retry_after
        self._tokens -= 1
        return None


@dataclass
class Crowd:
    """Always more orders than are admitted. Counts answers by the second."""

    admission: Admission
    push: Callable[[], Awaitable[Outcome]]
    loop: VirtualTimeLoop
    sent: dict[int, int] = field(default_factory=dict)
    counts: dict[tuple[int, OutcomeKind], int] = field(default_factory=dict)

    async def run(self, workers: int, seconds: float) -> None:
        tasks = [asyncio.create_task(self._work(str(number))) for number in range(workers)]
        await asyncio.sleep(seconds)
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)

    async def _work(self, order: str) -> None:
        while True:
            if not await self.admission.acquire(order, Lane.LIVE):
                while self.admission.capacity() == 0:
                    await self.admission.wait()
                continue
            second = int(self.loop.time())
            self.sent[second] = self.sent.get(second, 0) + 1
            outcome: Outcome | None = None
            try:
                outcome = await self.push()
            finally:
                self.admission.release(order, outcome)
            where = (int(self.loop.time()), outcome.kind)
            self.counts[where] = self.counts.get(where, 0) + 1

    def per_second(self, kind: OutcomeKind, begin: int, end: int) -> float:
        return sum(self.counts.get((second, kind), 0) for second in range(begin, end)) / (end - begin)


def virtual_admission(loop: VirtualTimeLoop, limit: int, rate: float | RateLimiter | None = None) -> Admission:
    return Admission(limit, rate, clock=loop.wall, timer=loop.time)


def limited(limiter: Limiter, latency: float) -> Callable[[], Awaitable[Outcome]]:
    """The request reaches the server half a latency after it was sent."""

    async def push() -> Outcome:
        await asyncio.sleep(latency / 2)
        wait = limiter(asyncio.get_running_loop().time())
        await asyncio.sleep(latency / 2)
        if wait is None:
            return ACCEPTED
        return Outcome(OutcomeKind.THROTTLED, 429, "http_429", retry_after=None if wait < 0 else wait)

    return push
