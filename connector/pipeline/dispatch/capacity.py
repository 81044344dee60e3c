"""How many orders may be taken from the ledger at present, and of which lanes. It must not know where they wait."""

from __future__ import annotations

from collections.abc import Collection

from connector.model.orders import OrderKey
from connector.pipeline.context import Context
from connector.pipeline.deliver.store_admissions import StoreAdmissions
from connector.pipeline.holds.manual_pause import ManualPause
from connector.pipeline.ports.entries import Lane, Room
from connector.pipeline.read.batch import BATCH

EVERY_LANE = tuple(Lane)


class Capacity:
    def __init__(self, context: Context, admissions: StoreAdmissions, manual_pause: ManualPause) -> None:
        self._in_work = context.in_work
        self._clock = context.clock
        self._admissions = admissions
        self._manual_pause = manual_pause

    def room(self, freed: Collection[OrderKey] = ()) -> Room | None:
        """Live changes first, sweeps only a little ahead; None: nothing fits. `freed`: orders in work that are settled
        by the time that others are taken."""
        most = self._most(freed) if self._manual_pause.since is None else 0
        if most < 1:
            return None
        sweeps = self._sweep_room(freed)
        lanes = EVERY_LANE if sweeps > 0 else (Lane.LIVE,)
        return Room(min(most, sweeps or BATCH), self._clock.now(), self._in_work.keys.difference(freed), lanes)

    def failing_room(self, *, others: bool) -> Room | None:
        """For orders that failed, as many as may be tried beside the others. While nothing can be sent, one, should
        there be no other (`others`) that could show whether that is over."""
        if self._admissions.closed and others:
            return None
        most = self.of_failing
        return Room(most, self._clock.now(), self._in_work.keys, EVERY_LANE, failing=True) if most > 0 else None

    @property
    def of_failing(self) -> int:
        if self._admissions.closed:
            return self._admissions.capacity() - len(self._in_work)
        return self._admissions.failing_limit - self._in_work.failing

    def _sweep_room(self, freed: Collection[OrderKey]) -> int:
        """Fan-outs and sweeps fill at most a few rounds of requests, two while a live change is in work, so that it
        never shares the processor with many of them; and they are taken by the half of that, so that batches stay
        worth a query."""
        share = min(BATCH, (2 if self._in_work.any_live else 4) * self._admissions.limit)
        left = share - self._in_work.of_sweeps(freed)
        return left if 2 * left >= share else 0

    def _most(self, freed: Collection[OrderKey]) -> int:
        """While much is in work, wait for room for half a batch: a query for a few orders costs nearly as much. What is
        for a paused store goes back, so that one store's pause keeps nothing from the others."""
        busy = self._in_work.using_room(freed)
        if self._admissions.closed:
            return self._admissions.capacity() - busy
        room = 2 * self._admissions.limit + BATCH - busy
        return room if 2 * room >= BATCH or busy < BATCH else 0
