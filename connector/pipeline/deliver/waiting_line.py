"""Who is admitted next: live orders first, and what is known to fail now and then between the others.

It must not know when a request may start.
"""

from __future__ import annotations

import asyncio
import heapq
from collections import deque
from dataclasses import dataclass
from itertools import count

from connector.pipeline.deliver.circuit_breaker import Standing
from connector.pipeline.ports.entries import Lane

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
        self._usual: list[tuple[int, int, Waiting]] = []
        self._failing: deque[Waiting] = deque()
        self._since_failing = 0
        self._order = count()

    @property
    def any_usual(self) -> bool:
        return bool(self._usual)

    @property
    def failing(self) -> int:
        return len(self._failing)

    def is_empty(self) -> bool:
        return not (self._usual or self._failing)

    def add(self, lane: Lane, waiting: Waiting) -> None:
        if waiting.failing:
            self._failing.append(waiting)
        else:
            heapq.heappush(self._usual, (lane, next(self._order), waiting))

    def first(self, *, usual: bool, failing: bool) -> Waiting | None:
        """Whose turn it is, of those for whom there is room; of what is known to fail after some others, or when no
        other can go."""
        while self._usual and self._usual[0][2].admitted.done():
            heapq.heappop(self._usual)
        while self._failing and self._failing[0].admitted.done():
            self._failing.popleft()
        other = self._usual[0][2] if self._usual and usual else None
        if self._failing and failing and (not other or self._since_failing >= SHARE - 1):
            return self._failing[0]
        return other

    def remove(self, first: Waiting) -> None:
        """It was `first`, and goes."""
        if first.failing:
            self._failing.popleft()
            self._since_failing = 0
        else:
            heapq.heappop(self._usual)
            self.passed()

    def passed(self) -> None:
        """One that isn't known to fail goes."""
        self._since_failing += 1

    def turn_all_away(self) -> None:
        for waiting in [*(waiting for _, _, waiting in self._usual), *self._failing]:
            if not waiting.admitted.done():
                waiting.admitted.set_result(False)
        self._usual.clear()
        self._failing.clear()
