"""A walk over all orders: the first backfill, and later comparisons (reconcile).

It only adds keys to the ledger, a page at a time and only while the dispatcher has room, so that live changes go first
and a sweep never piles up: those of orders that aren't known to be as Redo holds them. Its place is stored with each
page: after a kill it goes on where it was. It must not know how an order is assembled or pushed.
"""

from __future__ import annotations

import asyncio
from dataclasses import replace

import structlog

from connector.model.changes import Snapshot
from connector.model.errors import OrderUnreadable
from connector.model.orders import FORMER_KEYS, OrderKey, is_former
from connector.pipeline.context import Context
from connector.pipeline.dispatch.backpressure import Backpressure
from connector.pipeline.failpoints import reach
from connector.pipeline.heartbeat import Heartbeat
from connector.pipeline.holds.reviews import HoldReviews
from connector.pipeline.ports.entries import Arrival, Lane
from connector.pipeline.ports.records import Sweep
from connector.pipeline.read.batch import BatchSize
from connector.pipeline.sweeps.former_keys import FormerKeys
from connector.pipeline.sweeps.page_reader import PAGE, PageRead, PageReader
from connector.pipeline.sweeps.state import RESENDING, Sweeps

log = structlog.get_logger("connector.pipeline")

OF_SOURCE, OF_CHECKPOINTS, OF_LETTERS, OF_FORMER, WALKED = range(5)
"""Phases of a sweep: what it walks, and that everything was added to the ledger. Former keys come last, once everything
else was looked at: each order has had its chance to take over what is stored at its place."""
LOOK_AGAIN = 1.0
"""Seconds until a replica that is behind is asked again."""


class SweepWalk:
    def __init__(
        self,
        context: Context,
        sweeps: Sweeps,
        backpressure: Backpressure,
        reviews: HoldReviews,
        former: FormerKeys,
        pages: PageReader,
    ) -> None:
        self._store = context.store
        self._assembler = context.assembler
        self._revisions = context.revisions
        self._observer = context.observer
        self._clock = context.clock
        self._wake = context.wake
        self._sweeps = sweeps
        self._backpressure = backpressure
        self._reviews = reviews
        self._former = former
        self._pages = pages
        self._not_before = 0.0
        self._behind = False
        self._left = 0
        """Former keys that were left to be looked at."""
        self._known_pages = BatchSize(PAGE)
        self.heartbeat = Heartbeat("sweeper", "walking over all orders")

    async def step(self) -> None:
        """Wait until a page is due and fits, then add it to the ledger. Raises SourceUnavailable, MappingBroken."""
        try:
            await self._step()
        except asyncio.CancelledError:
            self._pages.stop()
            raise

    async def _step(self) -> None:
        if not self._sweeps.active:
            with self.heartbeat.resting():
                await self._sweeps.until_wanted()
            return
        sweep = self._sweeps.present
        with self.heartbeat.resting():
            await self._wait_for_turn(sweep)
        if self._sweeps.replaced(sweep):
            return
        if sweep.phase == OF_SOURCE:
            await self._page_of_source()
        elif sweep.phase < OF_FORMER:
            await self._page_of_known()
        elif sweep.phase == OF_FORMER:
            await self._page_of_former()
        else:
            await self._finish_unless_more()

    async def _wait_for_turn(self, sweep: Sweep) -> None:
        rest = self._sweeps.rest_until - self._clock.timer()
        if rest > 0 and sweep.scanned == 0 and sweep.cursor is None and sweep.phase == OF_SOURCE:
            await asyncio.sleep(rest)
        await asyncio.sleep(max(0.0, self._not_before - self._clock.timer()))
        if sweep.phase < OF_FORMER:
            await self._backpressure.until_room()
        else:
            await self._backpressure.until_drained()

    async def _page_of_source(self) -> None:
        with self.heartbeat.resting():
            await self._sweeps.until_stream_begins()
        before = self._sweeps.present
        began = self._clock.timer()
        if before.cursor is None or self._sweeps.estimate is None:
            self._sweeps.estimate = await self._assembler.estimate()
        try:
            with self.heartbeat.resting():  # the page reader has one of its own
                read = await self._pages.page(before)
        except OrderUnreadable:
            # Its place may be a key that is none any more, and from the beginning the walk does more than it must.
            if before.cursor is not None and await self._assembler.misfits([OrderKey(before.cursor)]):
                await self._add(frozenset(), replace(self._sweeps.present, cursor=None, scanned=0))
                return
            raise
        page = read.keys
        if self._sweeps.replaced(before) or await self._too_old(page.snapshot):
            return
        pause = self._sweeps.time_for(len(page.keys))
        self._not_before = began + pause
        if page.cursor is not None and not pause:
            self._pages.begin(before, page.cursor)
        differing = await self._differing(read)
        if self._sweeps.replaced(before):
            return
        after = replace(
            self._sweeps.present,
            cursor=page.cursor,
            phase=OF_SOURCE if page.cursor is not None else OF_CHECKPOINTS,
            scanned=before.scanned + len(page.keys),
        )
        await self._add(differing, after)
        self._observer.swept(after.kind, len(page.keys))
        if unchanged := len(page.keys) - len(differing):
            self._observer.order("unchanged", unchanged)

    async def _differing(self, read: PageRead) -> frozenset[OrderKey]:
        """Those of the page that must be looked at: all but those of which the store says, after they were read, that
        Redo holds them as they were then, and nothing is under way.

        Read first and asked then, so that no order slips through that is in work meanwhile: until it is settled it is
        in the ledger, and once it is, its checkpoint's digest is that of what was pushed. What changes in the OMS after
        the snapshot is the stream's to tell.
        """
        known = await self._store.row_digests([*read.digests]) if read.digests else {}
        same = {key for key, digest in read.digests.items() if digest and known.get(key) == digest}
        return frozenset(read.keys.keys) - same

    async def _too_old(self, snapshot: Snapshot) -> bool:
        """Wait for a moment where it is."""
        behind = self._sweeps.not_yet_in(snapshot)
        if behind and not self._behind:
            log.warning("replica_behind", next="the walk over all orders waits until source.read_dsn has caught up")
        self._behind = behind
        if behind:
            with self.heartbeat.resting():
                await asyncio.sleep(LOOK_AGAIN)
        return behind

    async def _page_of_known(self) -> None:
        """Orders that Redo holds, or refused, and the order table no longer has."""
        before = self._sweeps.present
        with self._known_pages.page() as size:
            after = OrderKey(before.cursor) if before.cursor else None
            if before.phase == OF_CHECKPOINTS:
                keys = await self._store.page_checkpoints(after, size)
            else:
                keys = await self._store.letter_keys(None, after, size)
            todays = [key for key in keys if not is_former(key)]
            gone = await self._assembler.absent(todays) if todays else frozenset()
        if self._sweeps.replaced(before):
            return
        phase = before.phase if keys else before.phase + 1
        await self._add(gone, replace(self._sweeps.present, cursor=keys[-1] if keys else None, phase=phase))

    async def _page_of_former(self) -> None:
        """What Redo holds by former keys, and no order has taken over."""
        before = self._sweeps.present
        after = OrderKey(before.cursor) if before.cursor else FORMER_KEYS
        keys = await self._store.page_checkpoints(after, PAGE)
        former = [key for key in keys if is_former(key)]
        if self._sweeps.replaced(before):
            return
        self._left = len(former) + (self._left if before.cursor else 0)
        if not former:
            self._former.sweep_over(self._left)
        cursor, phase = (former[-1], OF_FORMER) if former else (None, WALKED)
        await self._add(frozenset(former), replace(self._sweeps.present, cursor=cursor, phase=phase))

    async def _add(self, keys: frozenset[OrderKey], after: Sweep) -> None:
        self._sweeps.current = after
        arrivals = []
        if keys:
            revision = self._revisions.next()
            first, confirm = min(after.revision, revision), after.cause in RESENDING
            arrivals = [Arrival(revision, self._clock.now(), Lane.SWEEP, keys, first_revision=first, confirm=confirm)]
        await (self._sweeps.save(arrivals) if arrivals else self._sweeps.save_place())
        reach("sweep.after_page")
        self._wake.set()

    async def _finish_unless_more(self) -> None:
        """Everything that the sweep added has been looked at; the guard may let some of it go only now."""
        before = self._sweeps.present
        held = await self._reviews.sweep_over()
        if held is not None and not self._sweeps.replaced(before):
            await self._sweeps.finish(held)
