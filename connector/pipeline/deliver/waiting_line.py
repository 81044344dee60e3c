"""Who is admitted next: live orders first, now and then one of a fan-out or a sweep, and what is known to fail between
the others.

It must not know when a request may start.
"""

from __future__ import annotations

import asyncio
import heapq
from collections import deque
from dataclasses import dataclass
from itertools import count

from connector.pipeline.deliver.circuit_breaker import Standing
from connector.pipeline.ports.entries import OTHERS_SHARE, Lane

SHARE = 8
"""What is known to fail gets one slot in so many."""


@dataclass(frozen=True, slots=True)
class Waiting:
    """`admitted` is set to whether the order may be sent. `failing`: it is known to fail."""

    order: str
    standing: Standing
    admitted: asyncio.Future[bool]
    failing: bool = False


class WaitingLine:
    def __init__(self) -> None:
        self._live: deque[Waiting] = deque()
        self._others: list[tuple[int, int, Waiting]] = []
        self._failing: deque[Waiting] = deque()
        self._since_failing = 0
        self._since_others = 0
        self._order = count()

    @property
    def any_usual(self) -> bool:
        return bool(self._live or self._others)

    @property
    def failing(self) -> int:
        return len(self._failing)

    def is_empty(self) -> bool:
        return not (self.any_usual or self._failing)

    def add(self, lane: Lane, waiting: Waiting) -> None:
        if waiting.failing:
            self._failing.append(waiting)
        elif lane is Lane.LIVE:
            self._live.append(waiting)
        else:
            heapq.heappush(self._others, (lane, next(self._order), waiting))

    def first(self, *, usual: bool, failing: bool) -> Waiting | None:
        """Whose turn it is, of those for whom there is room; of what is known to fail after some others, or when no
        other can go."""
        for line in (self._live, self._failing):
            while line and line[0].admitted.done():
                line.popleft()
        while self._others and self._others[0][2].admitted.done():
            heapq.heappop(self._others)
        other = self._usual() if usual else None
        if self._failing and failing and (not other or self._since_failing >= SHARE - 1):
            return self._failing[0]
        return other

    def _usual(self) -> Waiting | None:
        if self._others and (not self._live or self._since_others >= OTHERS_SHARE - 1):
            return self._others[0][2]
        return self._live[0] if self._live else None

    def remove(self, first: Waiting) -> None:
        """It was `first`, and goes."""
        if first.failing:
            self._failing.popleft()
            self._since_failing = 0
            return
        self.passed()
        if self._live and self._live[0] is first:
            self._live.popleft()
            self._since_others += 1
        else:
            heapq.heappop(self._others)
            self._since_others = 0

    def passed(self) -> None:
        """One that isn't known to fail goes."""
        self._since_failing += 1

    def turn_all_away(self) -> None:
        for waiting in [*self._live, *(waiting for _, _, waiting in self._others), *self._failing]:
            if not waiting.admitted.done():
                waiting.admitted.set_result(False)
        self._live.clear()
        self._others.clear()
        self._failing.clear()
