"""Reverse lookups: changed rows (a customer, a product) become order keys in the ledger.

A lookup waits in the ledger like an order does, because its answer counts only in a snapshot that shows the change: an
order that came to use the row a moment earlier might otherwise be missed. What it leads to is a live change if it is a
handful of orders; more wait in a lane of their own. A wide one is read in pages, in key order, and only while the
dispatcher has room, so that it never delays live changes.

A route whose lookups fail is left alone for a while, and those of the others are read meanwhile.

What a deleted or moved row belonged to isn't in the OMS any more: the reverse index, kept with the checkpoints, knows.
"""

from __future__ import annotations

import asyncio
from collections import defaultdict
from collections.abc import AsyncIterator, Sequence
from contextlib import AsyncExitStack, asynccontextmanager

from connector.model.errors import ConnectorError, LimitExceeded, MappingBroken, OrderUnreadable, ReadingVoid
from connector.model.orders import KeyPage, Lookup, OrderKey, encoded
from connector.pipeline.backoff import sleep_unless
from connector.pipeline.context import Context
from connector.pipeline.dispatch.backpressure import Backpressure
from connector.pipeline.failpoints import reach
from connector.pipeline.heartbeat import Heartbeat
from connector.pipeline.ports.entries import HANDFUL, Arrival, Lane, PendingLookup
from connector.pipeline.read.batch import BatchSize, ReadLane
from connector.pipeline.read.reader import Reader
from connector.pipeline.sweeps.failing_routes import FailingRoutes

AT_ONCE = 500
PAGE = 2000
HIDDEN_PAUSE = 0.05
INDEX = "@"
"""Routes that begin with this are answered by the reverse index, not by the OMS."""


class LookupResolver:
    """With `backpressure` it goes on with lookups of which a page was read, one page whenever there is room, in its
    turn with other reads that aren't live (`turns`). Without, it reads first pages, at once. One of each runs, so that
    a product in a million orders never delays a customer of one. `unanswered`: lookups that the server's limits, or
    damaged data, don't let pass, shared by both."""

    def __init__(
        self,
        context: Context,
        reader: Reader,
        known_routes: frozenset[str],
        unanswered: set[Lookup],
        backpressure: Backpressure | None = None,
        turns: ReadLane | None = None,
    ) -> None:
        self._store = context.store
        self._assembler = context.assembler
        self._revisions = context.revisions
        self._chronicle = context.chronicle
        self._wake = context.wake
        self._reader = reader
        self._visibility = reader.visibility
        self._known_routes = known_routes
        self._unanswered = unanswered
        self._backpressure = backpressure
        self._turns = turns
        name = "resolver" if backpressure is None else "fan-out"
        self.heartbeat = Heartbeat(name, "finding the orders of a changed row")
        self._arrived = asyncio.Event()
        self._arrived.set()  # some may have waited since the last run
        self._failing = FailingRoutes(name, context.clock)
        self._timer = context.clock.timer
        self._sizes: dict[str, tuple[BatchSize, BatchSize]] = defaultdict(lambda: (BatchSize(AT_ONCE), BatchSize(PAGE)))
        """Of each route: how many lookups are read at once, and keys of a page."""

    def lookups_arrived(self) -> None:
        """There may be lookups to resolve."""
        self._arrived.set()

    @property
    def trouble(self) -> ConnectorError | None:
        """Why a route's lookups fail, while others may be read."""
        return self._failing.trouble

    def hasten(self) -> None:
        """What failed is tried again now."""
        self._failing.hasten()
        self._arrived.set()

    async def step(self) -> bool:
        """Resolve one page of one group of lookups; True when a walk goes on. Raises SourceUnavailable, and
        ReadingVoid."""
        with self.heartbeat.resting():
            await self._until_work()
        self._arrived.clear()
        wide = self._backpressure is not None
        pending = await self._store.take_lookups(AT_ONCE, wide=wide, without=self._failing.waiting)
        if not pending:
            return False
        self._arrived.set()
        if pending[0].lookup.route not in self._known_routes:
            # A route of an older mapping: the sweep that a changed mapping starts covers it.
            await self._store.resolved(pending, None, None)
            return False
        if self._backpressure is not None:
            with self.heartbeat.resting():
                await self._backpressure.until_room()
        return await self._try(pending)

    async def _until_work(self) -> None:
        due = self._failing.due_in
        if due is None:
            await self._arrived.wait()
        else:
            await sleep_unless(self._arrived, due)

    async def _try(self, pending: Sequence[PendingLookup]) -> bool:
        route, began = pending[0].lookup.route, self._timer()
        try:
            goes_on = await self._resolve(pending)
        except ReadingVoid:
            raise
        except (LimitExceeded, MappingBroken, OrderUnreadable) as error:
            self._failing.failed(route, error, self._timer() - began)
            return False
        self._failing.succeeded(route)
        return goes_on

    async def _resolve(self, pending: Sequence[PendingLookup]) -> bool:
        # Those that lead to all orders are read after the others.
        pending = [one for one in pending if one.lookup not in self._unanswered] or pending
        route, cursor = pending[0].lookup.route, pending[0].cursor
        at_once, pages = self._sizes[route]
        pending = pending[: at_once.size]
        if route.startswith(INDEX):
            # From this snapshot on no order is read with the row. Those read before are in the index once they have
            # been enrolled; so, after that, the index names every order that Redo may hold with the row.
            hidden = await self._reader.snapshot()
            await self._reader.until_enrolled()
            rows = [encoded(one.lookup.values) for one in pending]
            after = None if cursor is None else OrderKey(cursor)
            keys = await self._store.enrolled(route, rows, after, PAGE)
            following = keys[-1] if len(keys) == PAGE else None
        else:
            async with self._turn():
                before = self._visibility.unseen()
                with at_once.page(), pages.page() as size:
                    page = await self._page(pending, cursor, size, at_once)
            hidden = self._visibility.hidden_from(page.snapshot, before)
            keys = list(page.keys)
            following = None if page.cursor is None else OrderKey(page.cursor)
        settled = [one for one in pending if not hidden.touches(one.first_revision, one.revision)]
        if not settled:
            await asyncio.sleep(HIDDEN_PAUSE)
            return False
        await self._add_found(settled, keys, following, walked=cursor is not None)
        return following is not None

    @asynccontextmanager
    async def _turn(self) -> AsyncIterator[None]:
        async with AsyncExitStack() as stack:
            if self._turns is not None:
                with self.heartbeat.resting():
                    await stack.enter_async_context(self._turns.turn())
            yield

    async def _page(
        self, pending: Sequence[PendingLookup], cursor: str | None, size: int, at_once: BatchSize
    ) -> KeyPage:
        lookups = [one.lookup for one in pending]
        if self._unanswered.issuperset(lookups):
            return await self._assembler.scan(cursor, size)
        try:
            return await self._assembler.resolve(lookups, cursor, size)
        except LimitExceeded:
            if size > 1 or len(lookups) > 1:
                raise
            return await self._of_all(lookups, cursor, size)
        except OrderUnreadable:
            # The walk's place may be a key that is none any more.
            if cursor is not None and await self._assembler.misfits([OrderKey(cursor)]):
                return await self._assembler.resolve(lookups, None, size)
            if len(lookups) > 1:
                at_once.exceeded(len(lookups), 0.0)
                raise
            return await self._of_all(lookups, cursor, size)

    async def _of_all(self, lookups: Sequence[Lookup], cursor: str | None, size: int) -> KeyPage:
        """Nothing smaller can be asked, and all others of the route wait behind it: it leads to all orders, page by
        page."""
        self._unanswered.update(lookups)
        return await self._assembler.scan(cursor, size)

    async def _add_found(
        self, settled: Sequence[PendingLookup], keys: Sequence[OrderKey], following: str | None, *, walked: bool
    ) -> None:
        arrival = None
        if keys:
            few = following is None and not walked and len(keys) <= HANDFUL * len(settled)
            self._chronicle.found([one.revision for one in settled], keys)
            arrival = Arrival(
                self._revisions.next(),
                min(one.since for one in settled),
                Lane.LIVE if few else Lane.FANOUT,
                frozenset(keys),
                first_revision=min(one.first_revision for one in settled),
            )
        await self._store.resolved(settled, arrival, following)
        if following is None:
            self._unanswered.difference_update(one.lookup for one in settled)
        reach("lookup.after_resolve")
        self._wake.set()
