"""The road from the ledger to Redo: take, assemble, diff, push, settle.

Entries are taken only as far as there is room, live ones first, sweeps only a little ahead. An order is in work at most
once at a time (invariant 5): its key is busy from the moment it is taken until its settlement is written.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable, Coroutine, Mapping, Sequence
from math import inf

from connector.errors import ConnectorError
from connector.orders import OrderKey, delivery_id
from connector.pipeline.backoff import Backoff
from connector.pipeline.batch import BATCH
from connector.pipeline.crashpoints import reach
from connector.pipeline.decide import Delivery, Settled
from connector.pipeline.delivering import Deliverer
from connector.pipeline.entries import Lane
from connector.pipeline.examining import Examiner
from connector.pipeline.gates import Gates
from connector.pipeline.guard import Guard, drift
from connector.pipeline.hand_pause import HandPause
from connector.pipeline.history import Attempt
from connector.pipeline.insist import Insist
from connector.pipeline.looking import Findings, Looker
from connector.pipeline.memory import Memory
from connector.pipeline.notices import Notices
from connector.pipeline.ports import Chronicle, Observer
from connector.pipeline.pulse import Pulse
from connector.pipeline.records import Settlement
from connector.pipeline.settler import Settler

READ_BACKOFF = Backoff(base=0.5, cap=15.0, floor=0.2)


class Dispatcher:
    def __init__(
        self,
        memory: Memory,
        looker: Looker,
        deliverer: Deliverer,
        guard: Guard,
        gates: Gates,
        observer: Observer,
        chronicle: Chronicle,
        hand_pause: HandPause,
        insist: Insist,
        on_hungry: Callable[[bool], None],
        on_drift: Callable[[str], None],
        on_void: Callable[[str], Awaitable[None]],
        clock: Callable[[], float] = time.time,
    ) -> None:
        self._memory = memory
        self._looker = looker
        self._deliverer = deliverer
        self._guard = guard
        self._gates = gates
        self._observer = observer
        self._chronicle = chronicle
        self._hand_pause = hand_pause
        self._insist = insist
        self._on_hungry = on_hungry
        self._on_drift = on_drift
        self._clock = clock
        self._busy: dict[OrderKey, Lane] = {}
        self._tasks: set[asyncio.Task[None]] = set()
        self._notices = Notices()
        self._failure: BaseException | None = None
        self._work = asyncio.Event()
        self.examiner = Examiner(looker, self.begin, self._settle, self._looked, READ_BACKOFF.delay, clock)
        self.examiner.on_void = on_void
        self._heavy = self.examiner.heavy
        self._due: float | None = None
        """When the next entry that backs off falls due; inf: none does; None: not known."""
        self.pulse = Pulse("dispatcher", "taking orders from the ledger")
        self.road = Pulse("road", "reading and pushing orders")
        """Of all orders that are in work together. A closed gate sends them back, so that none is."""
        self.longest = 0.0
        """Seconds that one of them may take for its next step."""
        self.not_before = 0.0
        """Nothing is taken before: until then a request under a former key may be carried out late."""
        self.settler: Settler | None = None

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
        await self._insist(self._memory.hasten)
        self._due = None
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
        if self._hand_pause.since is not None:
            await self._wait(None)
            return
        room = self._room()
        if room < 1:
            await self._wait(None, gates=self._gates.capacity() < 1)
            return
        pause = max(self.examiner.not_before, self.not_before) - self._clock()
        if pause > 0:
            await self._wait(pause)
            return
        sweep_room = self._sweep_room()
        sweeps_fit = sweep_room > 0
        lanes = tuple(Lane) if sweeps_fit else (Lane.LIVE,)
        limit = min(room, sweep_room or BATCH)
        busy = frozenset(self._busy)
        entries = await self._insist(lambda: self._memory.take(limit, self._clock(), busy, lanes))
        reach("dispatch.after_take")
        for entry in entries:
            self._busy[entry.key] = entry.lane
        self.moved()
        self.examiner.start(entries)
        if len(entries) < limit:
            if sweeps_fit:
                self._on_hungry(all(lane is not Lane.SWEEP for lane in self._busy.values()))
            due = await self._next_due()
            # When sweeps don't fit, a due one must not make this spin: the next settlement wakes it.
            await self._wait(max(0.0, due - self._clock()) if due is not None and sweeps_fit else None)

    async def _next_due(self) -> float | None:
        """When an entry that backs off falls due. Every one of them passed `written`, so the store is asked only at
        the start and once the time has come; what is written meanwhile counts too."""
        if self._due is None or self._due <= self._clock():
            self._due, busy = inf, frozenset(self._busy)
            due = await self._insist(lambda: self._memory.next_due(busy))
            if self._due is not None and due is not None:
                self._due = min(self._due, due)
        return None if self._due == inf else self._due

    def _capacity(self) -> int:
        return 2 * self._gates.limit + BATCH

    def _sweep_room(self) -> int:
        """Sweeps fill at most a few rounds of requests, so that a live change never queues behind many of them; and
        they are taken by the half of that, so that batches stay worth a query."""
        share = min(BATCH, 4 * self._gates.limit)
        left = share - sum(1 for key, lane in self._busy.items() if lane is not Lane.LIVE and key not in self._heavy)
        return left if 2 * left >= share else 0

    def _room(self) -> int:
        """While much is in work, wait for room for half a batch: a query for a few orders costs nearly as much. What is
        for a paused store goes back, so that one store's pause keeps nothing from the others."""
        busy = len(self._busy) - self._heavy.aside
        if self._gates.closed:
            return self._gates.capacity() - busy
        room = self._capacity() - busy
        return room if 2 * room >= BATCH or busy < BATCH else 0

    def moved(self) -> None:
        """An order got further, or there is none."""
        if self._busy:
            pace = self._gates.pace
            self.road.allowance = self.longest + (0.0 if pace is None else 1 / pace)
            self.road.beat()
        else:
            self.road.rest()

    async def _wait(self, timeout: float | None, *, gates: bool = False) -> None:
        """`gates`: until one of them may have opened, too. Only where that is what is missing: a pause that is over
        wakes at once, and would again and again."""
        waits: set[asyncio.Future[object]] = {asyncio.ensure_future(self._work.wait())}
        if gates:
            waits.add(asyncio.ensure_future(self._gates.wait()))
        try:
            with self.pulse.resting():
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
            self._heavy.sent(delivery)
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
            self._looker.leave(delivery)
            self._heavy.arrived(delivery)
            self.wake()
        if self._deliverer.reopened:
            self._deliverer.reopened = False
            await self._insist(self._memory.hasten)
            self._due = None
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
        assert self.settler is not None  # noqa: S101 -- wired before the first step
        self.settler.settle(settled.settlement)

    def written(self, settlements: Sequence[Settlement]) -> None:
        """The settlements are in the store: their orders may be taken again."""
        self._guard.written(settlements)
        for settlement in settlements:
            self._busy.pop(settlement.entry.key, None)
            self._heavy.forget(settlement.entry.key)
            if self._due is not None and settlement.again is not None:
                self._due = min(self._due, settlement.again.due)
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
