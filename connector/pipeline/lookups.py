"""Reverse lookups: changed rows (a customer, a product) become order keys in the ledger.

A lookup waits in the ledger like an order does, because its answer counts only in a snapshot that shows the change: an
order that came to use the row a moment earlier might otherwise be missed. A wide one is read in pages, in key order,
and only while the road is hungry, so that it never delays live changes.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence

from connector.orders import KeyPage
from connector.pipeline.crashpoints import reach
from connector.pipeline.insist import Insist
from connector.pipeline.intake import Revisions
from connector.pipeline.ports import Arrival, Assembler, Lane, Memory, PendingLookup
from connector.pipeline.visibility import Visibility

AT_ONCE = 500
PAGE = 2000
HIDDEN_PAUSE = 0.05


class Resolver:
    def __init__(
        self,
        memory: Memory,
        assembler: Assembler,
        visibility: Visibility,
        revisions: Revisions,
        insist: Insist,
        known_routes: frozenset[str],
        wake: Callable[[], None],
    ) -> None:
        self._memory = memory
        self._assembler = assembler
        self._visibility = visibility
        self._revisions = revisions
        self._insist = insist
        self._known_routes = known_routes
        self._wake = wake
        self._arrived = asyncio.Event()
        self._arrived.set()  # some may have waited since the last run
        self._hungry = asyncio.Event()

    def poke(self) -> None:
        """Lookups may have arrived."""
        self._arrived.set()

    def feed_me(self) -> None:
        self._hungry.set()

    async def step(self) -> None:
        """Resolve one page of one group of lookups. Raises SourceUnavailable, MappingBroken, OrderUnreadable."""
        await self._arrived.wait()
        self._arrived.clear()
        pending = await self._insist(lambda: self._memory.take_lookups(AT_ONCE))
        if not pending:
            return
        self._arrived.set()
        if pending[0].lookup.route not in self._known_routes:
            # A route of an older mapping: the sweep that a changed mapping starts covers it.
            await self._insist(lambda: self._memory.resolved(pending, None, None))
            return
        cursor = pending[0].cursor
        if cursor is not None:
            self._hungry.clear()
            self._wake()
            await self._hungry.wait()
        before = self._visibility.opened()
        page = await self._assembler.resolve([one.lookup for one in pending], cursor, PAGE)
        hidden = self._visibility.judge(before, page.snapshot)
        settled = [one for one in pending if not hidden.touches(one.first_revision, one.revision)]
        if settled:
            await self._store(settled, page, wide=cursor is not None or page.cursor is not None)
        else:
            await asyncio.sleep(HIDDEN_PAUSE)

    async def _store(self, settled: Sequence[PendingLookup], page: KeyPage, *, wide: bool) -> None:
        arrival = None
        if page.keys:
            arrival = Arrival(
                self._revisions.next(),
                min(one.since for one in settled),
                Lane.FANOUT if wide else Lane.LIVE,
                frozenset(page.keys),
                first_revision=min(one.first_revision for one in settled),
            )
        await self._insist(lambda: self._memory.resolved(settled, arrival, page.cursor))
        reach("lookup.after_resolve")
        self._wake()
