"""Transactions in, affected orders durably in the ledger, then the slot may move.

This is the only place that acknowledges. It must not know what is done about an affected order, or when.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, AsyncIterator, Sequence

from connector.model.changes import Transaction
from connector.pipeline.backoff import unless_stopped
from connector.pipeline.dispatch.ledger_queue import LedgerQueue
from connector.pipeline.failpoints import reach
from connector.pipeline.heartbeat import Heartbeat
from connector.pipeline.intake.progress import Progress
from connector.pipeline.intake.router import Routed, Router
from connector.pipeline.ports.protocols import Source
from connector.pipeline.read.visibility import Visibility
from connector.pipeline.sweeps.lookups import LookupResolver
from connector.pipeline.sweeps.state import Sweeps


class LedgerWriter:
    """Writes to the ledger what transactions affected, and wakes who waits for it. Acknowledges nothing."""

    def __init__(self, sweeps: Sweeps, visibility: Visibility, queue: LedgerQueue, lookups: LookupResolver) -> None:
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
            self._queue.arrived()
        elif routed.arrivals:
            await self._queue.arrive(routed.arrivals, routed.commits)
        if any(arrival.lookups for arrival in routed.arrivals):
            self._lookups.lookups_arrived()


class Intake:
    """`last_commit_time`: of the latest transaction that was taken in (seconds since 1970)."""

    def __init__(self, source: Source, router: Router, progress: Progress, ledger: LedgerWriter) -> None:
        self._source = source
        self._router = router
        self._progress = progress
        self._ledger = ledger
        self.heartbeat = Heartbeat("intake", "writing changes to the ledger")
        self.last_commit_time: float | None = None

    async def follow(self, stop: asyncio.Event) -> None:
        """Until the stream ends or `stop` is set. Raises SourceUnavailable when the source cuts us off, SlotLost when
        its slot can't be read any more."""
        stream = self._source.batches(self._router.interest, self._progress)
        try:
            while (batch := await unless_stopped(stop, _next(stream))) is not None:
                with self.heartbeat.working():
                    await self._take_in(batch)
        finally:
            if isinstance(stream, AsyncGenerator):
                await stream.aclose()

    async def _take_in(self, batch: Sequence[Transaction]) -> None:
        await self._progress.record(batch)
        routed = self._router.route(batch)
        reach("intake.before_ledger")
        await self._ledger.write(routed)
        reach("intake.after_ledger")
        ended = [transaction.end_lsn for transaction in batch if transaction.end_lsn is not None]
        if ended:
            self._source.acknowledge(ended[-1])
        reach("intake.after_acknowledge")
        self.last_commit_time = batch[-1].commit_time


async def _next(stream: AsyncIterator[Sequence[Transaction]]) -> Sequence[Transaction] | None:
    """The next batch, None at the stream's end."""
    return await anext(stream, None)
