"""Pages of a sweep, read from the OMS as a whole: by what each order's row is known, one page ahead of the walk.

Only orders that Redo is known to hold are read. What can't be read with others, or may hide a change, has no digest in
the page, and is looked at by itself. It must not know what is done about an order, or when a page is due.
"""

from __future__ import annotations

import asyncio
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from connector.model.errors import LimitExceeded, OrderUnreadable, ReadingVoid
from connector.model.off_loop import Breaks
from connector.model.orders import NO_MEMBERS, KeyPage, OrderKey
from connector.model.rows import Assembly
from connector.pipeline.context import Context
from connector.pipeline.dispatch.tasks import PASSING
from connector.pipeline.heartbeat import Heartbeat
from connector.pipeline.ports.records import Sweep
from connector.pipeline.read.batch import BatchSize, ReadLane
from connector.pipeline.read.reader import Reader
from connector.pipeline.sweeps.state import RESENDING, Sweeps

PAGE = 1000
TOGETHER = 500
"""Orders that one query reads."""
LONGEST = 1.0
"""Seconds of one query, and so of its snapshot, after which fewer orders are read together."""


@dataclass(frozen=True, slots=True)
class PageRead:
    """`digests`: of the rows of those orders that can be compared."""

    keys: KeyPage
    digests: Mapping[OrderKey, bytes]


@dataclass(slots=True)
class _Ahead:
    revision: int
    cursor: str
    page: asyncio.Task[PageRead]


class PageReader:
    """`turns`: the lane of reads that aren't live."""

    def __init__(self, context: Context, sweeps: Sweeps, reader: Reader, turns: ReadLane) -> None:
        self._store = context.store
        self._assembler = context.assembler
        self._row_digests = context.row_digests
        self._revisions = context.revisions
        self._timer = context.clock.timer
        self._sweeps = sweeps
        self._reader = reader
        self._lane = turns
        self._pages, self._together = BatchSize(PAGE), BatchSize(TOGETHER)
        self._ahead: _Ahead | None = None
        self.heartbeat = Heartbeat("page reader", "reading the orders of a sweep")

    async def page(self, sweep: Sweep) -> PageRead:
        """The page at the sweep's cursor, which may have been read already. Raises SourceUnavailable, MappingBroken,
        OrderUnreadable."""
        ahead = self._ahead
        if ahead is not None and (ahead.revision, ahead.cursor) == (sweep.revision, sweep.cursor):
            self._ahead = None
            try:
                return await ahead.page
            except ReadingVoid:
                raise
            except PASSING:
                pass  # that was then: it is read once more
        self.stop()
        return await self._read(sweep, sweep.cursor)

    def begin(self, sweep: Sweep, cursor: str) -> None:
        """Read the page at a cursor while the one before is compared."""
        page = asyncio.create_task(self._read(sweep, cursor), name="page of a sweep")
        # Nobody asks for it where it is stopped.
        page.add_done_callback(lambda done: done.cancelled() or done.exception())
        self._ahead = _Ahead(sweep.revision, cursor, page)

    def stop(self) -> None:
        """What was begun isn't asked for any more."""
        if self._ahead is not None:
            self._ahead.page.cancel()
            self._ahead = None

    async def _read(self, sweep: Sweep, cursor: str | None) -> PageRead:
        with self.heartbeat.working():
            self.heartbeat.rest()
            async with self._lane.turn():
                self.heartbeat.beat()
                with self._pages.page() as size:
                    keys = await self._assembler.scan(cursor, size)
            left, digests = await self._comparable(keys, sweep), dict[OrderKey, bytes]()
            while left:
                size = self._together.size
                some, left = left[:size], left[size:]
                digests |= await self._digests(some, sweep)
        return PageRead(keys, digests)

    async def _comparable(self, page: KeyPage, sweep: Sweep) -> Sequence[OrderKey]:
        """Those that need reading. The store is asked only to spare the OMS: a first fill, say, compares nothing."""
        if sweep.cause in RESENDING or self._sweeps.not_yet_in(page.snapshot):
            return ()
        known = await self._store.row_digests(page.keys)
        return [key for key in page.keys if key in known]

    async def _digests(self, keys: Sequence[OrderKey], sweep: Sweep) -> dict[OrderKey, bytes]:
        """None of orders that can't be read together, or not in a snapshot that shows all that the sweep is to see."""
        self.heartbeat.rest()
        async with self._lane.turn():
            self.heartbeat.beat()
            began = self._timer()
            try:
                assembly, hidden = await self._reader.glance(keys)
            except (LimitExceeded, OrderUnreadable):
                self._together.exceeded(len(keys), self._timer() - began)
                return {}
            seconds = self._timer() - began
        (self._together.passed if seconds <= LONGEST else self._together.exceeded)(len(keys), seconds)
        if hidden.touches(sweep.revision, self._revisions.last):
            return {}
        return await self._of(assembly)

    async def _of(self, assembly: Assembly) -> dict[OrderKey, bytes]:
        breaks, found = Breaks(), dict[OrderKey, bytes]()
        for key, rows in assembly.rows.items():
            found[key] = self._row_digests.of(rows, assembly.members.get(key, NO_MEMBERS))
            await breaks.take()
        return found
