"""A walk over all orders: the first backfill, and later comparisons (reconcile).

A sweep only puts keys into the ledger, a page at a time and only when the road is hungry, so live changes go first and
a sweep never piles up. Its place is stored with each page: after a kill it goes on where it was. It must not know how
an order is assembled or pushed.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable
from dataclasses import replace
from typing import TYPE_CHECKING

from connector.orders import OrderKey
from connector.pipeline.crashpoints import reach
from connector.pipeline.insist import Insist
from connector.pipeline.ports import Arrival, Assembler, Lane, Memory, Observer, Sweep, SweepKind

if TYPE_CHECKING:
    from connector.pipeline.intake import Revisions

PAGE = 1000
REST_SHARE = 1.0
"""A sweep that the stream asked for rests this many times its own length before the next one, so that a table whose
deletes can't be routed costs the OMS at most half of one connection."""
REST_LEAST = 5.0


class Sweeper:
    """Owns the sweep's state. `asked` is called by others within the event loop, `run` is its own task."""

    def __init__(
        self,
        memory: Memory,
        assembler: Assembler,
        revisions: Revisions,
        observer: Observer,
        insist: Insist,
        wake: Callable[[], None],
        every: float | None,
    ) -> None:
        self._memory = memory
        self._assembler = assembler
        self._revisions = revisions
        self._observer = observer
        self._insist = insist
        self._wake = wake
        self._every = every
        self._wanted = asyncio.Event()
        self._hungry = asyncio.Event()
        self._drained = False
        self._rest_until = 0.0
        self.current: Sweep | None = None
        self.estimate = 0

    async def load(self) -> None:
        self.current = await self._memory.sweep()

    @property
    def active(self) -> bool:
        return self.current is not None and self.current.finished_at is None

    def asked(self, cause: str, revision: int, kind: SweepKind = SweepKind.RECONCILE) -> Sweep:
        """All orders must be looked at, in snapshots that show the commit of `revision`. Returns the state to store."""
        now = time.time()
        if self.current is None:
            self.current = Sweep(kind, cause, revision, revision, now)
        elif self.current.finished_at is not None:
            self.current = Sweep(kind, cause, revision, revision, now, finished_at=None)
        else:
            self.current = replace(self.current, wanted_revision=revision)
        self._wanted.set()
        return self.current

    async def ask(self, cause: str, kind: SweepKind) -> None:
        """Durably ask for a sweep on behalf of a person, the clock, or a changed mapping."""
        self._rest_until = 0.0
        sweep = self.asked(cause, self._revisions.next(), kind)
        await self._insist(lambda: self._memory.save_sweep(sweep))

    def feed_me(self, *, finished: bool) -> None:
        """The road has room and nothing that is due; `finished`: nothing of a sweep is in work either."""
        self._drained = finished
        self._hungry.set()

    async def step(self) -> None:
        """Wait until a page is due and wanted, then put it on the road. Raises SourceUnavailable, MappingBroken."""
        sweep = self.current
        if sweep is None or sweep.finished_at is not None:
            await self._wait_for_work(sweep)
            return
        rest = self._rest_until - time.time()
        if rest > 0 and sweep.scanned == 0 and sweep.cursor is None and sweep.phase == 0:
            await asyncio.sleep(rest)
        self._hungry.clear()
        self._wake()
        await self._hungry.wait()
        if sweep.phase == 0:
            await self._page_of_source()
        elif sweep.phase == 1:
            await self._page_of_checkpoints()
        elif self._drained:
            await self._finish()

    async def _wait_for_work(self, sweep: Sweep | None) -> None:
        self._wanted.clear()
        last = sweep.finished_at if sweep is not None else None
        if self._every is None or last is None:
            await self._wanted.wait()
            return
        try:
            await asyncio.wait_for(self._wanted.wait(), max(0.0, last + self._every - time.time()))
        except TimeoutError:
            await self.ask("reconcile.every", SweepKind.RECONCILE)

    async def _page_of_source(self) -> None:
        before = self._state()
        if before.cursor is None:
            self.estimate = await self._assembler.estimate()
        page = await self._assembler.scan(before.cursor, PAGE)
        after = replace(
            self._state(),
            cursor=page.cursor,
            phase=0 if page.cursor is not None else 1,
            scanned=before.scanned + len(page.keys),
        )
        await self._enqueue(frozenset(page.keys), after)
        self._observer.swept(after.kind, len(page.keys))

    async def _page_of_checkpoints(self) -> None:
        """Orders that Redo holds and the order table no longer does."""
        before = self._state()
        keys = await self._memory.page_checkpoints(OrderKey(before.cursor) if before.cursor else None, PAGE)
        gone = await self._assembler.absent(keys) if keys else frozenset()
        after = replace(self._state(), cursor=keys[-1] if keys else None, phase=1 if keys else 2)
        await self._enqueue(gone, after)

    async def _enqueue(self, keys: frozenset[OrderKey], after: Sweep) -> None:
        self.current = after
        arrivals = []
        if keys:
            revision = self._revisions.next()
            arrivals = [Arrival(revision, time.time(), Lane.SWEEP, keys, first_revision=min(after.revision, revision))]
        await self._insist(lambda: self._memory.arrive(arrivals, [], self.current))
        reach("sweep.after_page")
        self._wake()

    async def _finish(self) -> None:
        """Everything that the sweep put on the road has been looked at."""
        sweep, now = self._state(), time.time()
        self._rest_until = now + max(REST_LEAST, REST_SHARE * (now - sweep.started_at))
        if sweep.wanted_revision > sweep.revision:
            after = Sweep(SweepKind.RECONCILE, sweep.cause, sweep.wanted_revision, sweep.wanted_revision, now)
        else:
            after = replace(sweep, finished_at=now)
        self.current = after
        await self._insist(lambda: self._memory.save_sweep(after))

    def _state(self) -> Sweep:
        assert self.current is not None  # noqa: S101 -- only called while a sweep is on
        return self.current
