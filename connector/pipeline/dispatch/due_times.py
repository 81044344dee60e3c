"""When the next entry of the ledger that backs off falls due, without asking the store each time."""

from __future__ import annotations

from math import inf

from connector.model.orders import OrderKey
from connector.pipeline.context import Context

LOOK_EVERY = 1.0
"""Seconds between two looks whether one that failed was changed, and is due at once."""


class DueTimes:
    """`failing`: of entries that failed, else of the others. Every one passes `put_back`, so the store is asked only at
    the start and once the time has come; what is put back meanwhile counts too."""

    def __init__(self, context: Context, *, failing: bool = False) -> None:
        self._store = context.store
        self._clock = context.clock.now
        self._failing = failing
        self._due: float | None = None
        self._looked_at = 0.0

    async def next_due(self, busy: frozenset[OrderKey]) -> float | None:
        """Seconds since 1970; None: nothing backs off. While something fails, not later than the next look."""
        now = self._clock()
        if self._due is None or self._due <= now or (self._due < inf and self._failing and self._stale(now)):
            self._due, self._looked_at = inf, now
            due = await self._store.next_due(busy, failing=self._failing)
            if self._due is not None and due is not None:
                self._due = min(self._due, due)
        if self._due is None:
            return now
        if self._due == inf:
            return None
        return min(self._due, self._looked_at + LOOK_EVERY) if self._failing else self._due

    async def any_due(self, busy: frozenset[OrderKey]) -> bool:
        """Whether an entry is due."""
        await self.next_due(busy)
        return self._due is None or self._due <= self._clock()

    def _stale(self, now: float) -> bool:
        return now - self._looked_at >= LOOK_EVERY

    def put_back(self, due: float) -> None:
        if self._due is not None:
            self._due = min(self._due, due)

    def forget(self) -> None:
        """The store changed them."""
        self._due = None
