"""The road from the ledger to Redo: take, assemble, diff, push, settle.

Entries are taken only as far as there is room, live ones first, sweeps only a little ahead. An order is in work at most
once at a time (invariant 5): its key is busy from the moment it is taken until its settlement is written.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable, Coroutine, Mapping, Sequence

from connector.model.errors import (
    CheckpointsUnwritable,
    ConnectorError,
    MappingBroken,
    OrderUnreadable,
    SourceUnavailable,
)
from connector.model.orders import OrderKey, delivery_id
from connector.pipeline.backoff import Backoff
from connector.pipeline.decide import Delivery, Settled
from connector.pipeline.deliver.delivery import Deliverer
from connector.pipeline.deliver.due_times import DueTimes
from connector.pipeline.deliver.failing_orders import FailingOrders
from connector.pipeline.deliver.group_commit import GroupCommit
from connector.pipeline.deliver.store_admissions import StoreAdmissions
from connector.pipeline.examine.differ import Differ, Findings
from connector.pipeline.examine.examiner import Examiner
from connector.pipeline.examine.order_log import RefusalLog
from connector.pipeline.failpoints import reach
from connector.pipeline.heartbeat import Heartbeat
from connector.pipeline.holds.guard import Guard, drift
from connector.pipeline.holds.manual_pause import ManualPause
from connector.pipeline.ports.chronicle import Attempt
from connector.pipeline.ports.entries import BLAMED, Entry, Lane
from connector.pipeline.ports.protocols import Chronicle, Observer
from connector.pipeline.ports.records import Settlement
from connector.pipeline.ports.store import CheckpointStore
from connector.pipeline.read.batch import BATCH

READ_BACKOFF = Backoff(base=0.5, cap=15.0, floor=0.2)
PASSING = (SourceUnavailable, MappingBroken, OrderUnreadable, CheckpointsUnwritable)
"""Errors for which a station only waits."""


class Dispatcher:
    def __init__(
        self,
        store: CheckpointStore,
        differ: Differ,
        deliverer: Deliverer,
        guard: Guard,
        admissions: StoreAdmissions,
        failing: FailingOrders,
        observer: Observer,
        chronicle: Chronicle,
        manual_pause: ManualPause,
        on_hungry: Callable[[bool], None],
        on_drift: Callable[[str], None],
        on_void: Callable[[str], Awaitable[None]],
        clock: Callable[[], float] = time.time,
    ) -> None:
        self._store = store
        self._differ = differ
        self._deliverer = deliverer
        self._guard = guard
        self._admissions = admissions
        self._failing = failing
        self._observer = observer
        self._chronicle = chronicle
        self._manual_pause = manual_pause
        self._on_hungry = on_hungry
        self._on_drift = on_drift
        self._clock = clock
        self._busy: dict[OrderKey, Lane] = {}
        self._beside: set[OrderKey] = set()
        """Those of them that failed before: they keep nobody waiting."""
        self._tasks: set[asyncio.Task[None]] = set()
        self._notices = RefusalLog()
        self._failure: BaseException | None = None
        self._work = asyncio.Event()
        self.examiner = Examiner(differ, self.begin, self._settle, self._looked, READ_BACKOFF.delay, clock)
        self.examiner.on_void = on_void
        self._large = self.examiner.large
        self._due_times = DueTimes(store, clock)
        self._failing_due_times = DueTimes(store, clock, failing=True)
        self.heartbeat = Heartbeat("dispatcher", "taking orders from the ledger")
        self.road = Heartbeat("road", "reading and pushing orders")
        """Of all orders that are in work together. A closed gate sends them back, so that none is."""
        self.longest = 0.0
        """Seconds that one of them may take for its next step."""
        self.not_before = 0.0
        """Nothing is taken before: until then a request under a former key may be carried out late."""
        self.group_commit: GroupCommit | None = None

    @property
    def read_trouble(self) -> ConnectorError | None:
        """What keeps orders from being read, None when nothing does."""
        return self.examiner.trouble

    @property
    def busy(self) -> Mapping[OrderKey, Lane]:
        """Orders that are in work."""
        return self._busy

    def wake(self) -> None:
        """Something may be due: an arrival, a settlement, an open gate."""
        self._work.set()

    def arrived(self) -> None:
        """Something changed in the OMS."""
        self.examiner.changed()
        self.wake()

    async def hasten(self) -> None:
        """Orders can be read again: those that wait for it need not wait longer."""
        self.examiner.hasten()
        await self._store.hasten()
        self._forget_dues()
        self.wake()

    def mapping_works(self) -> None:
        """It failed for every order, and no longer does."""
        self.begin(self.hasten())

    @property
    def idle(self) -> bool:
        return not self._busy

    async def step(self) -> None:
        """Take what is due and fits, and start on it; else wait until that may have changed."""
        self._work.clear()
        if self._failure is not None:
            raise self._failure
        if self._manual_pause.since is not None:
            await self._wait(None)
            return
        room = self._room()
        if room < 1:
            await self._wait(None, admissions=self._admissions.capacity() < 1)
            return
        pause = max(self.examiner.not_before, self.not_before) - self._clock()
        if pause > 0:
            await self._wait(pause)
            return
        sweep_room = self._sweep_room()
        sweeps_fit = sweep_room > 0
        lanes = tuple(Lane) if sweeps_fit else (Lane.LIVE,)
        limit = min(room, sweep_room or BATCH)
        entries = await self._take(limit, lanes)
        reach("dispatch.after_take")
        all_taken = len(entries) < limit
        entries += await self._take_failing(bool(entries))
        self.moved()
        self.examiner.start(entries)
        if all_taken:
            if sweeps_fit:
                self._on_hungry(all(lane is not Lane.SWEEP or key in self._beside for key, lane in self._busy.items()))
            await self._wait(await self._until_due(sweeps_fit))

    async def _take(self, limit: int, lanes: Sequence[Lane], *, failing: bool = False) -> list[Entry]:
        busy = frozenset(self._busy)
        entries = await self._store.take(limit, self._clock(), busy, lanes, failing=failing)
        self._busy |= {entry.key: entry.lane for entry in entries}
        self._beside |= {entry.key for entry in entries if entry.attempts}
        return entries

    async def _take_failing(self, others: bool) -> list[Entry]:
        """Of the orders that failed, as many as may be tried beside the others. While nothing can be sent, one, should
        there be no other that could show whether that is over."""
        room = self._failing_room() if not (self._admissions.closed and others) else 0
        if room < 1 or not await self._failing_due_times.come(frozenset(self._busy)):
            return []
        return await self._take(room, tuple(Lane), failing=True)

    def _failing_room(self) -> int:
        if self._admissions.closed:
            return self._admissions.capacity() - len(self._busy)
        return self._admissions.beside - len(self._beside)

    async def _until_due(self, sweeps_fit: bool) -> float | None:
        """Seconds until an entry that backs off falls due, None when none does that fits. One that is due and doesn't
        fit must not make this spin: the next settlement wakes it."""
        due_times = [await self._due_times.next(frozenset(self._busy))] if sweeps_fit else []
        if self._failing_room() > 0:
            # Busy as of now: what was put back while the store was asked for the others would be passed over for ever.
            due_times.append(await self._failing_due_times.next(frozenset(self._busy)))
        return min((max(0.0, due - self._clock()) for due in due_times if due is not None), default=None)

    def _forget_dues(self) -> None:
        self._due_times.forget()
        self._failing_due_times.forget()

    def _capacity(self) -> int:
        return 2 * self._admissions.limit + BATCH

    def _sweep_room(self) -> int:
        """Sweeps fill at most a few rounds of requests, so that a live change never queues behind many of them; and
        they are taken by the half of that, so that batches stay worth a query."""
        share = min(BATCH, 4 * self._admissions.limit)
        left = share - sum(1 for key, lane in self._busy.items() if lane is not Lane.LIVE and not self._aside(key))
        return left if 2 * left >= share else 0

    def _aside(self, key: OrderKey) -> bool:
        """Whether the order keeps nobody waiting."""
        return key in self._large or key in self._beside

    def _room(self) -> int:
        """While much is in work, wait for room for half a batch: a query for a few orders costs nearly as much. What is
        for a paused store goes back, so that one store's pause keeps nothing from the others."""
        busy = len(self._busy) - self._large.aside - len(self._beside)
        if self._admissions.closed:
            return self._admissions.capacity() - busy
        room = self._capacity() - busy
        return room if 2 * room >= BATCH or busy < BATCH else 0

    def moved(self) -> None:
        """An order got further, or there is none."""
        if self._busy:
            pace = self._admissions.pace
            self.road.allowance = self.longest + (0.0 if pace is None else 1 / pace)
            self.road.beat()
        else:
            self.road.rest()

    async def _wait(self, timeout: float | None, *, admissions: bool = False) -> None:
        """`gates`: until one of them may have opened, too. Only where that is what is missing: a pause that is over
        wakes at once, and would again and again."""
        waits: set[asyncio.Future[object]] = {asyncio.ensure_future(self._work.wait())}
        if admissions:
            waits.add(asyncio.ensure_future(self._admissions.wait()))
        try:
            with self.heartbeat.resting():
                await asyncio.wait(waits, timeout=timeout, return_when=asyncio.FIRST_COMPLETED)
        finally:
            for wait in waits:
                wait.cancel()

    def begin(self, work: Coroutine[None, None, None]) -> None:
        task = asyncio.create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._ended)

    def _ended(self, task: asyncio.Task[None]) -> None:
        """An unforeseen error ends the process: its orders are in the ledger, and a restart looks at them again."""
        self._tasks.discard(task)
        if not task.cancelled() and (error := task.exception()) is not None:
            if isinstance(error, PASSING):
                # Whoever runs this station would wait for it to pass, but what the task had taken stays in work.
                foreseen, error = error, RuntimeError("an order met an error that should have been met on its way")
                error.__cause__ = foreseen
            self._failure = self._failure or error
            self.wake()

    def _looked(self, found: Findings) -> None:
        self.moved()
        for settled in found.settled:
            self._settle(settled)
            self._tell(settled)
        for delivery, settled in found.held:
            self._drifted(delivery)
            self._settle(settled)
        for delivery in found.deliveries:
            self._drifted(delivery)
            self._large.sent(delivery)
            self.begin(self._deliver(delivery))

    def _drifted(self, delivery: Delivery) -> None:
        """What a reconcile finds to differ is drift, once: not when it's approved later, nor when it's tried again."""
        entry = delivery.entry
        if entry.lane is Lane.SWEEP and not entry.approved and entry.attempts == 0 and not entry.confirm:
            self._on_drift(drift(delivery))

    async def _deliver(self, delivery: Delivery) -> None:
        try:
            settled = await self._deliverer.deliver(delivery)
        finally:
            self._differ.release(delivery)
            self._large.arrived(delivery)
            self.wake()
        if self._deliverer.reopened:
            self._deliverer.reopened = False
            # What is known to fail keeps its time: a pause says nothing about it.
            await self._store.hasten(BLAMED - 1)
            self._forget_dues()
        if self._failing.recovered:
            self._failing.recovered = False
            await self._store.hasten()
            self._forget_dues()
        self._settle(settled)

    def _tell(self, settled: Settled) -> None:
        """What kept an order from being sent."""
        letter = settled.settlement.dead_letter
        if letter is not None and settled.result is not None:
            named = delivery_id(letter.fingerprint)
            attempt = Attempt(
                letter.key,
                self._clock(),
                settled.result.value,
                letter.reason,
                store_id=letter.store_id,
                delivery=named,
            )
            self._chronicle.attempted(attempt)

    def _settle(self, settled: Settled) -> None:
        if settled.result is not None:
            self._observer.order(settled.result.value)
        if settled.settlement.dead_letter is not None:
            self._notices.refused(settled.settlement.dead_letter)
        assert self.group_commit is not None  # noqa: S101 -- wired before the first step
        self.group_commit.settle(settled.settlement)

    def written(self, settlements: Sequence[Settlement]) -> None:
        """The settlements are in the store: their orders may be taken again."""
        self._guard.written(settlements)
        for settlement in settlements:
            self._busy.pop(settlement.entry.key, None)
            self._beside.discard(settlement.entry.key)
            self._large.forget(settlement.entry.key)
            if settlement.again is None:
                self._failing.settled(settlement.entry.key)
            else:
                due_times = self._failing_due_times if settlement.again.attempts else self._due_times
                due_times.put_back(settlement.again.due)
        self.moved()
        self.wake()

    async def drain(self, bound: float) -> int:
        """Let what is under way finish within `bound` seconds. Returns how many orders were left in flight."""
        tasks = set(self._tasks)
        while tasks:
            _, pending = await asyncio.wait(tasks, timeout=bound)
            if pending:
                for task in pending:
                    task.cancel()
                await asyncio.gather(*pending, return_exceptions=True)
                return len(pending)
            tasks = set(self._tasks)
        return 0
