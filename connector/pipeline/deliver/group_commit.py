"""Settlements are written together: one commit for all that came within a moment, or while the last one was written.

Nobody waits for one but the order's own next change, and a write for each order alone costs as much as one for many.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from dataclasses import replace

from connector.pipeline.context import Context
from connector.pipeline.deliveries import Result, Settled
from connector.pipeline.dispatch.ledger_queue import LedgerQueue
from connector.pipeline.examine.order_log import RefusalLog
from connector.pipeline.failpoints import reach
from connector.pipeline.heartbeat import Heartbeat
from connector.pipeline.ports.entries import Lane
from connector.pipeline.ports.records import Settlement
from connector.pipeline.sweeps.state import Sweeps

MOMENT = 0.01
"""Seconds that a settlement waits for others."""


class GroupCommit:
    """`listeners` are called with settlements once they are stored; what follows from that isn't known here."""

    def __init__(
        self,
        context: Context,
        queue: LedgerQueue,
        sweeps: Sweeps,
        listeners: Sequence[Callable[[Sequence[Settlement]], None]],
    ) -> None:
        self._queue = queue
        self._sweeps = sweeps
        self._clock = context.clock
        self._observer = context.observer
        self._listeners = listeners
        self.refusals = RefusalLog()
        self.heartbeat = Heartbeat("settler", "writing what became of orders")
        self._pending: list[Settlement] = []
        self._arrived = asyncio.Event()
        self._writing: asyncio.Task[None] | None = None

    def settle(self, settled: Settled) -> None:
        """Count and log what became of an order, and have it written. Never waits."""
        settlement = settled.settlement
        if settled.result is not None:
            self._observer.order(settled.result.value)
        if settlement.dead_letter is not None:
            self.refusals.refused(settlement.dead_letter)
        if settlement.entry.lane is Lane.SWEEP and self._sweeps.active:
            self._count(settled)
        self._pending.append(self._stamped(settlement))
        self._arrived.set()

    def _count(self, settled: Settled) -> None:
        """For the sweep that brought it."""
        settlement = settled.settlement
        if settled.result is Result.PUSHED:
            self._sweeps.found("pushed")
        elif settlement.dead_letter is not None and settlement.again is None:
            self._sweeps.found("refused")

    def _stamped(self, settlement: Settlement) -> Settlement:
        """With the time by the wall's clock, in place of the ledger's, for what people read."""
        letter, stamp = settlement.dead_letter, self._clock.by_the_wall
        if letter is None:
            return settlement
        stamped = replace(letter, first_seen=stamp(letter.first_seen), last_seen=stamp(letter.last_seen))
        return replace(settlement, dead_letter=stamped)

    async def step(self) -> None:
        """Wait for settlements and write all there are."""
        with self.heartbeat.resting():
            await self._arrived.wait()
            await asyncio.sleep(MOMENT)
        self._arrived.clear()
        await self.flush()

    async def flush(self) -> None:
        """Write all there are. Cancelling this cancels no write, because what became of pushed orders would be
        forgotten, and they would be pushed again: the next call waits for it."""
        self._writing = asyncio.create_task(self._write(self._writing), name="settling")
        await asyncio.shield(self._writing)

    async def _write(self, unfinished: asyncio.Task[None] | None) -> None:
        if unfinished is not None:
            await asyncio.wait([unfinished])
        batch, self._pending = self._pending, []
        if batch:
            reach("settle.before")
            await self._queue.settle(batch, self._written)

    def _written(self, batch: Sequence[Settlement]) -> None:
        for listener in self._listeners:
            listener(batch)
