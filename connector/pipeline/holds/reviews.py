"""What becomes of the orders that the guard keeps back: they go on within bounds, are held for a person otherwise, and
go once a person approves them. It must not know why an order is kept back, nor how it is pushed.
"""

from __future__ import annotations

import asyncio
import math
from collections import deque

import structlog

from connector.pipeline.context import Context
from connector.pipeline.heartbeat import Heartbeat
from connector.pipeline.holds.endpoints import Endpoints
from connector.pipeline.holds.first_fill import FirstFill
from connector.pipeline.holds.open_holds import OpenHolds
from connector.pipeline.holds.vanished_rows import VanishedRows
from connector.pipeline.ports.entries import Arrival, Lane
from connector.pipeline.ports.holds import Hold, HoldKind, HoldState
from connector.pipeline.sweeps.state import Sweeps

log = structlog.get_logger("connector.guard")

AT_ONCE = 2_000
"""Orders released in one commit: some 70 ms of the store."""
BURSTS = 3600.0
"""Seconds in which removals count as one burst, so that a trickle doesn't pass what a flood may not."""
PATIENCE = 6
"""A burst that doesn't end is judged after so many times `removal_wait`."""


class HoldReviews:
    """`step` is its own task, `sweep_over` is asked at the end of each sweep, `approve` on behalf of a person."""

    def __init__(
        self,
        context: Context,
        holds: OpenHolds,
        endpoints: Endpoints,
        vanished_rows: VanishedRows,
        sweeps: Sweeps,
        first_fill: FirstFill,
    ) -> None:
        self._store = context.store
        self._clock = context.clock
        self._revisions = context.revisions
        self._wake = context.wake
        self._limits = holds.limits
        self._holds = holds
        self._endpoints = endpoints
        self._vanished_rows = vanished_rows
        self._sweeps = sweeps
        self._first_fill = first_fill
        self._released: deque[tuple[float, int]] = deque()
        self._gathering: dict[int, float] = {}
        """Since when holds of removals have been gathering, by the timer."""
        """Bursts of removals that were within bounds: when they went, and how many."""
        self.heartbeat = Heartbeat("guard", "judging held orders")

    async def load(self) -> None:
        """At start: holds of the last run. One that the present settings let pass goes; the sets that were gathering
        are judged when their sweep ends."""
        for hold in await self._store.holds():
            self._holds.register(hold)
            if hold.state is HoldState.HELD and hold.orders <= await self._bound(hold.kind):
                log.info("hold_released", hold=hold.number, orders=hold.orders, because="the settings let it pass now")
                await self._release(hold)

    async def step(self) -> None:
        """Judge what has been gathered, twice a second while there is something."""
        with self.heartbeat.resting():
            await self._holds.until_any()
            await asyncio.sleep(min(0.5, self._limits.removal_wait / 2))
        await self._review(walked=not self._sweeps.active)

    async def sweep_over(self) -> int | None:
        """Everything that the sweep found was looked at. None when some of it goes on its way only now, else how many
        orders are held."""
        sweep = self._sweeps.current
        if await self._review(walked=True):
            return None
        if sweep is not None:
            await self._vanished_rows.compared(sweep.revision)
        return (await self._store.tally()).held

    async def _review(self, *, walked: bool) -> bool:
        """Whether anything goes on its way."""
        released = 0
        for hold in await self._store.holds():
            self._holds.register(hold)
            if hold.state is not HoldState.GATHERING or not self._holds.is_written(hold):
                continue
            bound = await self._bound(hold.kind)
            if hold.orders and hold.orders + self._released_lately(hold.kind) > bound:
                await self._hold(hold, bound)
            elif self._is_complete(hold, walked=walked):
                released += await self._end(hold)
        left = await self._holds.forget_gone()
        if walked:
            self._first_fill.walked(left)
        return released > 0

    async def _hold(self, hold: Hold, bound: float) -> None:
        await self._store.mark_hold(hold.number, HoldState.HELD)
        log.warning(
            "held_for_approval",
            hold=hold.number,
            kind=hold.kind.value,
            cause=hold.cause,
            orders=hold.orders,
            allowed=int(bound),
            next="redo-connector approve --list",
        )

    def _is_complete(self, hold: Hold, *, walked: bool) -> bool:
        """Whether all that belongs to it is known."""
        match hold.kind:
            case HoldKind.CHANGES | HoldKind.VANISHED | HoldKind.FIRST_FILL:
                return walked
            case HoldKind.REMOVALS:
                return self._burst_is_over(hold)
            case HoldKind.ENDPOINT:
                return not self._endpoints.waiting

    def _burst_is_over(self, hold: Hold) -> bool:
        wait = self._limits.removal_wait
        quiet = self._clock.timer() - self._holds.last_removal
        since = self._gathering.setdefault(hold.number, self._clock.timer())
        return quiet >= wait or self._clock.timer() - since >= PATIENCE * wait

    def _released_lately(self, kind: HoldKind) -> int:
        """Removals that passed within the present burst."""
        if kind is not HoldKind.REMOVALS:
            return 0
        while self._released and self._released[0][0] < self._clock.timer() - BURSTS:
            self._released.popleft()
        return sum(orders for _, orders in self._released)

    async def _bound(self, kind: HoldKind) -> float:
        if kind is HoldKind.ENDPOINT:
            return 0 if self._endpoints.waiting else math.inf
        return self._limits.bound(kind, (await self._store.tally()).checkpoints)

    async def approve(self, number: int, limit: int | None = None) -> int | None:
        """Let a hold go, or the first `limit` orders of it. Returns how many; None: there is no such hold."""
        hold = next((one for one in await self._store.holds() if one.number == number), None)
        if hold is None:
            return None
        if limit is None and hold.kind in (HoldKind.CHANGES, HoldKind.ENDPOINT):
            await self._sweeps.approve()
        if limit is None and hold.kind is HoldKind.ENDPOINT:
            await self._endpoints.approve()
        if limit is None and hold.kind is HoldKind.FIRST_FILL:
            await self._first_fill.approve()
        released = await (self._release(hold) if limit is None else self._release_most(hold, limit))
        log.info("hold_approved", hold=number, released=released)
        return released

    async def _end(self, hold: Hold) -> int:
        """It is within its bound. Returns how many orders go on their way."""
        if hold.kind is not HoldKind.VANISHED:
            return await self._release(hold)
        # It was empty a moment ago; if it isn't any more, it is held.
        await self._store.mark_hold(hold.number, HoldState.HELD)
        return 0

    async def _release(self, hold: Hold) -> int:
        try:
            await self._holds.begin_release(hold)
            return await self._release_most(hold, None)
        finally:
            self._holds.end_release(hold)

    async def _release_most(self, hold: Hold, limit: int | None) -> int:
        released = 0
        while limit is None or released < limit:
            most = AT_ONCE if limit is None else min(AT_ONCE, limit - released)
            arrival = Arrival(self._revisions.next(), self._clock.now(), Lane.SWEEP, approved=True)
            moved = await self._store.release(hold.number, arrival, most)
            released += moved
            self._wake.set()
            if moved == 0:
                break
        if hold.kind is HoldKind.REMOVALS and hold.state is HoldState.GATHERING:
            self._released.append((self._clock.timer(), released))
        return released
