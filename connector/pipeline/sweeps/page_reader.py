"""Pages of a sweep, read from the OMS as a whole: by what each order's row is known, one page ahead of the walk.

Only orders that Redo is known to hold are read. What can't be read with others, or may hide a change, has no digest in
the page, and is looked at by itself. It must not know what is done about an order, or when a page is due.
"""

from __future__ import annotations

import asyncio
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from connector.model.errors import LimitExceeded, OrderUnreadable
from connector.model.off_loop import Breaks
from connector.model.orders import NO_MEMBERS, KeyPage, OrderKey
from connector.model.rows import Assembly
from connector.pipeline.context import Context
from connector.pipeline.dispatch.tasks import PASSING
from connector.pipeline.ports.records import Sweep
from connector.pipeline.read.batch import BatchSize, ReadLane
from connector.pipeline.read.reader import Reader
from connector.pipeline.sweeps.state import RESENDING

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
    page: asyncio.Future[PageRead]


class PageReader:
    """`turns`: the lane of reads that aren't live."""

    def __init__(self, context: Context, reader: Reader, turns: ReadLane) -> None:
        self._store = context.store
        self._assembler = context.assembler
        self._row_digests = context.row_digests
        self._revisions = context.revisions
        self._tasks = context.tasks
        self._timer = context.clock.timer
        self._reader = reader
        self._lane = turns
        self._pages, self._together = BatchSize(PAGE), BatchSize(TOGETHER)
        self._ahead: _Ahead | None = None

    async def page(self, sweep: Sweep) -> PageRead:
        """The page at the sweep's cursor, which may have been read already. Raises SourceUnavailable, MappingBroken,
        OrderUnreadable."""
        ahead, self._ahead = self._ahead, None
        if ahead is not None and (ahead.revision, ahead.cursor) == (sweep.revision, sweep.cursor):
            return await ahead.page
        return await self._read(sweep, sweep.cursor)

    def begin(self, sweep: Sweep, cursor: str) -> None:
        """Read the page at a cursor while the one before is compared."""
        page: asyncio.Future[PageRead] = asyncio.get_running_loop().create_future()
        # Where the sweep is replaced nobody asks for it.
        page.add_done_callback(lambda done: done.cancelled() or done.exception())
        self._ahead = _Ahead(sweep.revision, cursor, page)
        self._tasks.begin(self._fill(page, sweep, cursor))

    async def _fill(self, page: asyncio.Future[PageRead], sweep: Sweep, cursor: str) -> None:
        try:
            page.set_result(await self._read(sweep, cursor))
        except Exception as error:
            page.set_exception(error)
            if not isinstance(error, PASSING):
                raise
        finally:
            page.cancel()  # with the task, should this be the end

    async def _read(self, sweep: Sweep, cursor: str | None) -> PageRead:
        async with self._lane.turn():
            with self._pages.page() as size:
                keys = await self._assembler.scan(cursor, size)
        digests: dict[OrderKey, bytes] = {}
        # Asked first only to spare the OMS: what a first fill walks over needs no reading here.
        known = await self._store.row_digests(keys.keys) if sweep.cause not in RESENDING else {}
        left = [key for key in keys.keys if key in known]
        while left:
            size = self._together.size
            some, left = left[:size], left[size:]
            digests |= await self._digests(some, sweep)
        return PageRead(keys, digests)

    async def _digests(self, keys: Sequence[OrderKey], sweep: Sweep) -> dict[OrderKey, bytes]:
        """None of orders that can't be read together, or not in a snapshot that shows all that the sweep is to see."""
        async with self._lane.turn():
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
