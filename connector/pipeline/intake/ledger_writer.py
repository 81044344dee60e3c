"""Writes to the ledger what transactions affected, and wakes who waits for it. It must not acknowledge anything."""

from __future__ import annotations

from connector.pipeline.context import Context
from connector.pipeline.dispatch.ledger_queue import LedgerQueue
from connector.pipeline.intake.router import Routed
from connector.pipeline.read.visibility import Visibility
from connector.pipeline.sweeps.lookups import LookupResolver
from connector.pipeline.sweeps.state import Sweeps


class LedgerWriter:
    def __init__(
        self, context: Context, sweeps: Sweeps, visibility: Visibility, queue: LedgerQueue, lookups: LookupResolver
    ) -> None:
        self._store = context.store
        self._sweeps = sweeps
        self._visibility = visibility
        self._queue = queue
        self._lookups = lookups

    async def write(self, routed: Routed) -> None:
        """Durably."""
        if routed.arrivals or routed.sweep is not None:
            self._visibility.arrived(routed.commits)
        if routed.sweep is not None:
            self._sweeps.asked(*routed.sweep)
            await self._sweeps.save(routed.arrivals, routed.commits)
        elif routed.arrivals:
            await self._store.arrive(routed.arrivals, routed.commits)
        self._queue.arrived()
        if any(arrival.lookups for arrival in routed.arrivals):
            self._lookups.lookups_arrived()
