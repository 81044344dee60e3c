"""Takes from the ledger what falls due, or what there was no room for when it arrived.

Most of what arrives while there is room is taken with the same write (`ledger_queue`), without this station. It must
not know what becomes of an order that was taken.
"""

from __future__ import annotations

import asyncio

from connector.pipeline.context import Context
from connector.pipeline.deliver.store_admissions import StoreAdmissions
from connector.pipeline.dispatch.ledger_queue import LedgerQueue
from connector.pipeline.heartbeat import Heartbeat

LONGEST_WAIT = 60.0
"""Seconds until the ledger is looked at again: the event loop's timers stand still while the machine sleeps, and due
times don't."""


class Dispatcher:
    def __init__(self, context: Context, queue: LedgerQueue, admissions: StoreAdmissions) -> None:
        self._tasks = context.tasks
        self._clock = context.clock
        self._wake = context.wake
        self._queue = queue
        self._admissions = admissions
        self.heartbeat = Heartbeat("dispatcher", "taking orders from the ledger")

    async def step(self) -> None:
        """Take what is due and fits, and have it looked at; else wait until that may have changed."""
        self._wake.clear()
        self._tasks.check()
        pause = self._queue.not_before - self._clock.now()
        if pause > 0:
            await self._wait(pause)
            return
        admitted = self._admissions.capacity()
        taken = await self._queue.take()
        if taken is None:
            # A pause that was what is missing may be over by now, or may have begun meanwhile.
            await self._wait(None, admissions=min(admitted, self._admissions.capacity()) < 1)
        elif taken.all:
            # One that is due and doesn't fit must not make this spin: the next settlement wakes it.
            await self._wait(await self._queue.seconds_until_due(usual=taken.every_lane))

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
