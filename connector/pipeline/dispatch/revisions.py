"""The ledger's own order of arrival: numbers that only grow, across restarts too."""

from __future__ import annotations


class Revisions:
    def __init__(self) -> None:
        self._last = 0

    def start_after(self, last: int) -> None:
        self._last = max(self._last, last)

    def next(self) -> int:
        self._last += 1
        return self._last

    @property
    def last(self) -> int:
        return self._last
