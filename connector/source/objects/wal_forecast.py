"""How long the server's disk, or a budget, can hold the WAL that the slot keeps: arithmetic on slot reports.

https://www.postgresql.org/docs/current/view-pg-replication-slots.html (safe_wal_size). Pure: no clock, no I/O.
"""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass
from typing import Final

from connector.source.objects.slot import SlotReport

SERVER_LIMIT: Final = "max_slot_wal_keep_size"
BUDGET: Final = "source.wal_budget"


@dataclass(frozen=True, slots=True)
class Outlook:
    """`limit`: what is reached first, None without any; `left`: bytes until then, negative beyond; `whole`: its size.
    `rate`: bytes a second by which what is kept grows, None while that isn't known. `seconds` until the limit, 0 beyond
    it, None when nothing grows towards one."""

    limit: str | None = None
    left: int | None = None
    whole: int | None = None
    rate: float | None = None
    seconds: float | None = None


class Forecast:
    """Feed it every report; `budget` in bytes.

    What a slot keeps goes up and down like a saw, because its restart position moves in steps. So growth is measured
    between the lowest points of the older and the newer half of a window (s): a saw on level ground has none.
    """

    def __init__(self, budget: int | None, window: float = 120.0, least: float = 10.0) -> None:
        """`least`: seconds of history before anything is said about growth."""
        self._budget = budget
        self._window = window
        self._least = least
        self._seen: deque[tuple[float, int]] = deque()

    def look(self, now: float, report: SlotReport | None) -> Outlook:
        """`now`: seconds of a clock that never goes back. Without a report nothing is known, but nothing forgotten."""
        if report is None or report.retained is None:
            return Outlook()
        self._seen.append((now, report.retained))
        while self._seen[0][0] < now - self._window:
            self._seen.popleft()
        rate = self._rate()
        nearest = min(self._limits(report, report.retained), key=lambda one: one[1], default=None)
        if nearest is None:
            return Outlook(rate=rate)
        limit, left, whole = nearest
        return Outlook(limit, left, whole, rate, _seconds(left, rate))

    def _limits(self, report: SlotReport, retained: int) -> list[tuple[str, int, int]]:
        limits = []
        if report.safe is not None:
            limits.append((SERVER_LIMIT, report.safe, report.safe + retained))
        if self._budget is not None:
            limits.append((BUDGET, self._budget - retained, self._budget))
        return limits

    def _rate(self) -> float | None:
        first, last = self._seen[0][0], self._seen[-1][0]
        if last - first < self._least:
            return None
        middle = (first + last) / 2
        began, low = min((one for one in self._seen if one[0] <= middle), key=lambda one: one[1])
        ended, high = min((one for one in self._seen if one[0] > middle), key=lambda one: one[1])
        return (high - low) / (ended - began)


def _seconds(left: int, rate: float | None) -> float | None:
    if left <= 0:
        return 0.0
    return left / rate if rate is not None and rate > 0 else None
