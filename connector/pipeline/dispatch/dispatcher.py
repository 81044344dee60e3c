"""Takes from the ledger what is due and fits: live changes first, sweeps only a little ahead.

It must not know what becomes of an order that was taken.
"""

from __future__ import annotations

import asyncio

from connector.pipeline.context import Context
from connector.pipeline.deliver.store_admissions import StoreAdmissions
from connector.pipeline.dispatch.backpressure import Backpressure
from connector.pipeline.dispatch.ledger_queue import LedgerQueue
from connector.pipeline.examine.examiner import Examiner
from connector.pipeline.failpoints import reach
from connector.pipeline.heartbeat import Heartbeat
from connector.pipeline.holds.manual_pause import ManualPause
from connector.pipeline.ports.entries import Entry, Lane
from connector.pipeline.read.batch import BATCH

LONGEST_WAIT = 60.0
"""Seconds until the ledger is looked at again: the event loop's timers stand still while the machine sleeps, and due
times don't."""


class Dispatcher:
    def __init__(
        self,
        context: Context,
        queue: LedgerQueue,
        examiner: Examiner,
        admissions: StoreAdmissions,
        manual_pause: ManualPause,
        backpressure: Backpressure,
    ) -> None:
        self._in_work = context.in_work
        self._tasks = context.tasks
        self._clock = context.clock
        self._wake = context.wake
        self._queue = queue
        self._examiner = examiner
        self._admissions = admissions
        self._manual_pause = manual_pause
        self._backpressure = backpressure
        self.heartbeat = Heartbeat("dispatcher", "taking orders from the ledger")

    async def step(self) -> None:
        """Take what is due and fits, and start on it; else wait until that may have changed."""
        self._wake.clear()
        self._tasks.check()
        if self._manual_pause.since is not None:
            await self._wait(None)
            return
        room = self._room()
        if room < 1:
            await self._wait(None, admissions=self._admissions.capacity() < 1)
            return
        pause = self._queue.not_before - self._clock.now()
        if pause > 0:
            await self._wait(pause)
            return
        await self._take(room)

    async def _take(self, room: int) -> None:
        sweep_room = self._sweep_room()
        sweeps_fit = sweep_room > 0
        limit = min(room, sweep_room or BATCH)
        entries = await self._queue.take(limit, tuple(Lane) if sweeps_fit else (Lane.LIVE,))
        reach("dispatch.after_take")
        all_taken = len(entries) < limit
        entries += await self._take_failing(others=bool(entries))
        self._in_work.progressed()
        self._examiner.start(entries)
        if not all_taken:
            return
        if sweeps_fit:
            self._backpressure.has_room(drained=self._in_work.sweeps_are_done)
        # One that is due and doesn't fit must not make this spin: the next settlement wakes it.
        await self._wait(await self._queue.seconds_until_due(usual=sweeps_fit, failing=self._failing_room() > 0))

    async def _take_failing(self, *, others: bool) -> list[Entry]:
        """Of the orders that failed, as many as may be tried beside the others. While nothing can be sent, one, should
        there be no other that could show whether that is over."""
        room = self._failing_room() if not (self._admissions.closed and others) else 0
        if room < 1 or not await self._queue.failing_are_due():
            return []
        return await self._queue.take(room, tuple(Lane), failing=True)

    def _failing_room(self) -> int:
        if self._admissions.closed:
            return self._admissions.capacity() - len(self._in_work)
        return self._admissions.failing_limit - self._in_work.failing

    def _sweep_room(self) -> int:
        """Sweeps fill at most a few rounds of requests, so that a live change never queues behind many of them; and
        they are taken by the half of that, so that batches stay worth a query."""
        share = min(BATCH, 4 * self._admissions.limit)
        left = share - self._in_work.of_sweeps
        return left if 2 * left >= share else 0

    def _room(self) -> int:
        """While much is in work, wait for room for half a batch: a query for a few orders costs nearly as much. What is
        for a paused store goes back, so that one store's pause keeps nothing from the others."""
        busy = self._in_work.using_room
        if self._admissions.closed:
            return self._admissions.capacity() - busy
        room = 2 * self._admissions.limit + BATCH - busy
        return room if 2 * room >= BATCH or busy < BATCH else 0

    async def _wait(self, timeout: float | None, *, admissions: bool = False) -> None:
        """`admissions`: until one of them may have opened, too. Only where that is what is missing: a pause that is
        over wakes at once, and would again and again."""
        waits: set[asyncio.Future[object]] = {asyncio.ensure_future(self._wake.wait())}
        if admissions:
            waits.add(asyncio.ensure_future(self._admissions.wait()))
        try:
            with self.heartbeat.resting():
                bound = None if timeout is None else min(timeout, LONGEST_WAIT)
                await asyncio.wait(waits, timeout=bound, return_when=asyncio.FIRST_COMPLETED)
        finally:
            for wait in waits:
                wait.cancel()
