"""What an operator may ask of a running connector: pause, resume, approve, redrive, set aside, reconcile, backfill.
Each adds keys to the ledger, or asks for a sweep.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable, Sequence

from connector.model.orders import OrderKey
from connector.pipeline.deliver.failing_orders import FailingOrders
from connector.pipeline.dispatch.ledger_queue import LedgerQueue
from connector.pipeline.holds.manual_pause import ManualPause, Resumed
from connector.pipeline.holds.reviews import HoldReviews
from connector.pipeline.ports.entries import Lane
from connector.pipeline.ports.records import Sweep, SweepKind
from connector.pipeline.ports.store import CheckpointStore
from connector.pipeline.sweeps.state import ASKED, RESEND, Sweeps

PAGE = 5_000


class Control:
    def __init__(
        self,
        store: CheckpointStore,
        queue: LedgerQueue,
        reviews: HoldReviews,
        sweeps: Sweeps,
        manual_pause: ManualPause,
        failing: FailingOrders,
    ) -> None:
        self._store = store
        self._queue = queue
        self._reviews = reviews
        self._sweeps = sweeps
        self._manual_pause = manual_pause
        self._failing = failing

    async def resend(self, keys: Sequence[OrderKey]) -> int:
        """Look at these orders again and push them even when nothing differs. Returns how many."""
        for at in range(0, len(keys), PAGE):
            # A person waits for a few; many must not delay what changes meanwhile.
            lane = Lane.LIVE if len(keys) <= 100 else Lane.FANOUT
            await self._queue.add(keys[at : at + PAGE], lane, confirm=True)
        return len(keys)

    async def letters(self, group: str | None) -> int:
        """How many dead letters a group has, or all groups together."""
        groups = await self._store.letter_groups()
        return sum(one.orders for one in groups if group in (None, one.group))

    async def redrive(self, group: str | None, report: Callable[[int], Awaitable[None]] | None = None) -> int:
        """All dead letters of a group, or all of all groups. Returns how many; `report` gets how many so far."""
        redriven = 0
        async for page in self._pages(group):
            redriven += await self.resend(page)
            if report is not None:
                await report(redriven)
        return redriven

    async def _pages(self, group: str | None) -> AsyncIterator[list[OrderKey]]:
        after: OrderKey | None = None
        while page := await self._store.letter_keys(group, after, PAGE):
            yield page
            after = page[-1]

    async def set_aside(self, keys: Sequence[OrderKey]) -> int:
        """Of these, orders that fail again and again are tried no more until they change. Returns how many."""
        return await self._failing.set_aside(keys)

    async def set_aside_group(self, group: str) -> int:
        """The same for the orders of a group of dead letters."""
        return await self._failing.set_aside([key async for page in self._pages(group) for key in page])

    async def approve(self, hold: int, limit: int | None) -> int | None:
        """Let a hold go, or `limit` of its orders. Returns how many, None when there is no such hold."""
        return await self._reviews.approve(hold, limit)

    @property
    def paused(self) -> bool:
        """Whether somebody paused delivery."""
        return self._manual_pause.since is not None

    async def pause(self) -> bool:
        """Push nothing until `resume`, not after a restart either. What is in flight ends. False: it was paused."""
        return await self._manual_pause.begin()

    async def resume(self) -> Resumed:
        """Go on at once, whatever the pause's cause. Returns what was ended."""
        return await self._manual_pause.end()

    async def sweep(self, kind: SweepKind, *, resend: bool = False) -> int:
        """Ask for a walk over all orders; `resend`: every one is pushed, equal or not. Returns the revision up to which
        it has to have walked."""
        return await self._sweeps.ask(RESEND if resend else ASKED, kind)

    def finished(self, revision: int) -> Sweep | None:
        """The sweep that was asked for, once it is over."""
        last = self._sweeps.last
        return last if last is not None and last.revision >= revision else None

    def progress(self) -> tuple[int, int]:
        """How many orders the present sweep has walked, of about how many."""
        sweep = self._sweeps.current
        walked = 0 if sweep is None else sweep.scanned
        return walked, max(walked, self._sweeps.estimate or 0)
