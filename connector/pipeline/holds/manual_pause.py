"""A pause that a person asked for: nothing is pushed, in this run and the next ones, until a person ends it. Who ends
it doesn't want to wait for Redo's own pauses either.
"""

from __future__ import annotations

import asyncio
from dataclasses import dataclass
from typing import Final

from connector.pipeline.context import Context
from connector.pipeline.deliver.circuit_breaker import Pause
from connector.pipeline.deliver.store_admissions import StoreAdmissions
from connector.pipeline.dispatch.ledger_queue import LedgerQueue

PAUSE_NOTE: Final = "paused_by_hand_since"
"""Seconds since 1970; empty: not paused."""


@dataclass(frozen=True, slots=True)
class Resumed:
    """What was ended: a pause `by_hand`, and the waiting for the end of Redo's `pauses`."""

    by_hand: bool
    pauses: tuple[Pause, ...]


class ManualPause:
    def __init__(self, context: Context, queue: LedgerQueue, admissions: StoreAdmissions) -> None:
        self._store = context.store
        self._clock = context.clock
        self._queue = queue
        self._admissions = admissions
        self._lock = asyncio.Lock()
        self._loaded = False
        self.since: float | None = None
        """When it began (seconds since 1970), None when delivery isn't paused."""

    async def load(self) -> None:
        """At start: a pause outlives the process."""
        async with self._lock:
            await self._load()

    async def begin(self) -> bool:
        """Durable before it returns. False when delivery was paused already."""
        async with self._lock:
            await self._load()
            if self.since is not None:
                return False
            self.since = self._clock.wall()
            await self._store.note(PAUSE_NOTE, repr(self.since))
            return True

    async def end(self) -> Resumed:
        """Go on at once, whatever nothing is sent for: where Redo is what failed, or asked for time, one order shows
        whether it still does."""
        async with self._lock:
            await self._load()
            by_hand = self.since is not None
            if by_hand:
                await self._store.note(PAUSE_NOTE, "")
            self.since = None
        resumed = Resumed(by_hand, tuple(self._admissions.end_pauses()))
        if by_hand or resumed.pauses:
            await self._queue.resume()
        return resumed

    async def _load(self) -> None:
        # A request may be carried out before the pipeline has picked up where it was.
        if not self._loaded:
            noted = await self._store.noted(PAUSE_NOTE)
            self.since = float(noted) if noted else None
            self._loaded = True
