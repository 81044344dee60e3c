"""The holds that orders are put into at the moment. It must not know why an order is held, or when a hold goes."""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Collection, Sequence

from connector.pipeline.context import Context
from connector.pipeline.holds.limits import Limits
from connector.pipeline.ports.holds import Hold, HoldKind
from connector.pipeline.ports.records import Settlement


class OpenHolds:
    """Each reason why rows may have vanished has a hold of its own: who approves one knows nothing of another."""

    def __init__(self, context: Context, limits: Limits) -> None:
        self._store = context.store
        self._clock = context.clock
        self.limits = limits
        self._open: dict[tuple[HoldKind, str], Hold] = {}
        self._releasing: Counter[int] = Counter()
        """Holds that are released as a whole: nothing else joins them."""
        self._vanished: set[int] = set()
        """Holds of orders of which it isn't known that they were deleted."""
        self._unwritten: Counter[int] = Counter()
        """By hold, how many orders were put into it and aren't stored there yet."""
        self._lock = asyncio.Lock()
        self._added = asyncio.Event()
        self.last_removal = 0.0
        """When an order was last put into a hold of removals (timer)."""

    def register(self, hold: Hold) -> None:
        """The store has this hold."""
        if not self._releasing[hold.number]:
            self._open[_slot(hold.kind, hold.cause)] = hold
        if hold.kind is HoldKind.VANISHED:
            self._vanished.add(hold.number)

    async def add(self, kind: HoldKind, cause: str, before: int | None) -> Hold:
        """The hold for one more order. `before`: the one that it was in."""
        async with self._lock:
            hold = self._open.get(_slot(kind, cause))
            if kind is HoldKind.VANISHED and before is not None:
                hold = next((one for one in self._open.values() if one.number == before), hold)
            hold = hold or await self.open(kind, cause)
            self.joins(hold)
        if kind is HoldKind.REMOVALS:
            self.last_removal = self._clock.timer()
        return hold

    async def open(self, kind: HoldKind, cause: str) -> Hold:
        """A new hold, without an order yet."""
        hold = await self._store.open_hold(kind, cause, self._clock.wall())
        self.register(hold)
        return hold

    def joins(self, hold: Hold) -> None:
        """One more order is about to be stored in it."""
        self._unwritten[hold.number] += 1
        self._added.set()

    async def until_any(self) -> None:
        """Wait while no hold is open."""
        if not self._open:
            self._added.clear()
            await self._added.wait()

    def written(self, settlements: Sequence[Settlement]) -> None:
        """These are in the store: a hold goes only once all that belongs to it is there."""
        for settlement in settlements:
            if settlement.held is not None:
                self._unwritten[settlement.held.hold] -= 1

    def is_written(self, hold: Hold) -> bool:
        return not self._unwritten[hold.number]

    def is_of_vanished(self, number: int) -> bool:
        return number in self._vanished

    async def begin_release(self, hold: Hold) -> None:
        """What is judged from now on goes into another hold; what was, is waited for."""
        self._releasing[hold.number] += 1
        self._open = {slot: one for slot, one in self._open.items() if one.number != hold.number}
        while not self.is_written(hold):  # noqa: ASYNC110 -- a settlement away
            await asyncio.sleep(0.01)

    def end_release(self, hold: Hold) -> None:
        self._releasing[hold.number] -= 1

    async def forget_gone(self) -> Collection[int]:
        """Those that the store no longer has. Returns the numbers of those that it has."""
        async with self._lock:
            left = {hold.number for hold in await self._store.holds()}
            for slot, hold in [*self._open.items()]:
                if hold.number not in left and self.is_written(hold):
                    del self._open[slot]
        return left


def _slot(kind: HoldKind, cause: str) -> tuple[HoldKind, str]:
    return kind, cause if kind in (HoldKind.VANISHED, HoldKind.FIRST_FILL) else ""
