"""The road from the ledger to Redo: take, assemble, diff, push, settle.

Entries are taken only as far as there is room, live ones first, sweeps only a little ahead. An order is in work at most
once at a time (invariant 5): its key is busy from the moment it is taken until its settlement is written.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Coroutine, Sequence
from math import inf

from connector.errors import ConnectorError, MappingBroken, SourceUnavailable
from connector.orders import OrderKey, Outcome
from connector.pipeline.crashpoints import reach
from connector.pipeline.decide import (
    Delivery,
    Remembered,
    Result,
    Settled,
    conclude,
    decide,
    put_back,
    refuse,
    unreadable,
)
from connector.pipeline.gate import Backoff, Gate
from connector.pipeline.insist import Insist
from connector.pipeline.notices import Notices
from connector.pipeline.ports import (
    Again,
    Arrival,
    Contract,
    Entry,
    Lane,
    Memory,
    Observer,
    Redo,
    Settlement,
)
from connector.pipeline.reading import Reader, Reading
from connector.pipeline.settler import Settler

BATCH = 200
READ_BACKOFF = Backoff(base=0.5, cap=15.0, floor=0.2)
DUPLICATE_LOOKS = 3


class Dispatcher:
    def __init__(
        self,
        memory: Memory,
        reader: Reader,
        contract: Contract,
        redo: Redo,
        gate: Gate,
        observer: Observer,
        insist: Insist,
        next_revision: Callable[[], int],
        on_hungry: Callable[[bool], None],
        reconciling: Callable[[], bool],
    ) -> None:
        self._memory = memory
        self._reader = reader
        self._contract = contract
        self._redo = redo
        self._gate = gate
        self._observer = observer
        self._insist = insist
        self._next_revision = next_revision
        self._on_hungry = on_hungry
        self._reconciling = reconciling
        self._busy: dict[OrderKey, Lane] = {}
        self._order_ids: dict[str, OrderKey] = {}
        self._tasks: set[asyncio.Task[None]] = set()
        self._notices = Notices()
        self._failure: BaseException | None = None
        self._work = asyncio.Event()
        self._live_reads = asyncio.Semaphore(1)
        self._sweep_reads = asyncio.Semaphore(1)
        self._read_attempt = 0
        self._read_after = 0.0
        self._due: float | None = None
        """When the next entry that backs off falls due; inf: none does; None: not known."""
        self.settler: Settler | None = None
        self.read_trouble: ConnectorError | None = None
        self.last_accepted_at: float | None = None

    def wake(self) -> None:
        """Something may be due: an arrival, a settlement, an open gate."""
        self._work.set()

    @property
    def idle(self) -> bool:
        return not self._busy

    async def step(self) -> None:
        """Take what is due and fits, and start on it; else wait until that may have changed."""
        self._work.clear()
        if self._failure is not None:
            raise self._failure
        room = self._room()
        if room < 1:
            await self._wait(None)
            return
        pause = self._read_after - time.time()
        if pause > 0:
            await self._wait(pause)
            return
        sweep_room = self._sweep_room()
        sweeps_fit = sweep_room > 0
        lanes = tuple(Lane) if sweeps_fit else (Lane.LIVE,)
        limit = min(room, sweep_room or BATCH)
        busy = frozenset(self._busy)
        entries = await self._insist(lambda: self._memory.take(limit, time.time(), busy, lanes))
        reach("dispatch.after_take")
        for entry in entries:
            self._busy[entry.key] = entry.lane
        for live in (True, False):
            share = [entry for entry in entries if (entry.lane is Lane.LIVE) == live]
            if share:
                self._start(self._look(share, self._live_reads if live else self._sweep_reads))
        if len(entries) < limit:
            if sweeps_fit:
                self._on_hungry(all(lane is not Lane.SWEEP for lane in self._busy.values()))
            due = await self._next_due()
            # When sweeps don't fit, a due one must not make this spin: the next settlement wakes it.
            await self._wait(max(0.0, due - time.time()) if due is not None and sweeps_fit else None)

    async def _next_due(self) -> float | None:
        """When an entry that backs off falls due. Every one of them passed `_settle`, so the store is asked only at
        the start and once the time has come."""
        if self._due is None or self._due <= time.time():
            due = await self._insist(lambda: self._memory.next_due(frozenset(self._busy)))
            self._due = inf if due is None else due
        return None if self._due == inf else self._due

    def _capacity(self) -> int:
        return 2 * self._gate.limit + BATCH

    def _sweep_room(self) -> int:
        """Sweeps fill at most a few rounds of requests, so that a live change never queues behind many of them; and
        they are taken by the half of that, so that batches stay worth a query."""
        share = min(BATCH, 4 * self._gate.limit)
        left = share - sum(1 for lane in self._busy.values() if lane is not Lane.LIVE)
        return left if 2 * left >= share else 0

    def _room(self) -> int:
        """While much is in work, wait for room for half a batch: a query for a few orders costs nearly as much."""
        open_for = self._gate.capacity()
        if open_for < self._gate.limit:
            return open_for - len(self._busy)
        room = self._capacity() - len(self._busy)
        return room if 2 * room >= BATCH or len(self._busy) < BATCH else 0

    async def _wait(self, timeout: float | None) -> None:
        waits: set[asyncio.Future[object]] = {asyncio.ensure_future(self._work.wait())}
        if self._gate.pause is not None:
            waits.add(asyncio.ensure_future(self._gate.wait()))
        try:
            await asyncio.wait(waits, timeout=timeout, return_when=asyncio.FIRST_COMPLETED)
        finally:
            for wait in waits:
                wait.cancel()

    def _start(self, work: Coroutine[None, None, None]) -> None:
        task = asyncio.create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._ended)

    def _ended(self, task: asyncio.Task[None]) -> None:
        """An unforeseen error ends the process: its orders are in the ledger, and a restart looks at them again."""
        self._tasks.discard(task)
        if not task.cancelled() and (error := task.exception()) is not None:
            self._failure = self._failure or error
            self.wake()

    async def _look(self, entries: Sequence[Entry], reads: asyncio.Semaphore) -> None:
        keys = [entry.key for entry in entries]
        async with reads:
            # What is known of an order doesn't change while it is in work.
            asked = asyncio.ensure_future(self._insist(lambda: self._memory.known(keys)))
            try:
                readings = await self._reader.read(keys)
            except (SourceUnavailable, MappingBroken) as error:
                self._cannot_read(entries, error)
                return
            finally:
                known = await asked
        self.read_trouble, self._read_attempt = None, 0
        deliveries = []
        for entry, reading in zip(entries, readings, strict=True):
            remembered = Remembered(known.checkpoints.get(entry.key), known.dead_letters.get(entry.key))
            decision = self._decide(entry, reading, remembered)
            if isinstance(decision, Delivery):
                deliveries.append((decision, remembered))
            else:
                self._settle(decision)
        for delivery in await self._without_duplicates(deliveries):
            self._start(self._deliver(delivery))

    def _decide(self, entry: Entry, reading: Reading, remembered: Remembered) -> Settled | Delivery:
        now = time.time()
        if reading.error is not None:
            return unreadable(entry, reading.error, now)
        hidden = reading.hidden.touches(entry.first_revision, entry.revision)
        return decide(
            entry, reading.documents, remembered, self._contract, hidden=hidden, now=now, members=reading.members
        )

    def _cannot_read(self, entries: Sequence[Entry], error: ConnectorError) -> None:
        """The OMS or the mapping is at fault, not the orders: all go back, and nothing is read for a while."""
        now = time.time()
        self.read_trouble = error
        if now >= self._read_after:
            self._read_after = now + READ_BACKOFF.delay(self._read_attempt)
            self._read_attempt += 1
        for entry in entries:
            again = Again(self._read_after, entry.attempts, entry.confirm)
            self._settle(Settled(Settlement(entry, again=again), None))

    async def _without_duplicates(self, found: Sequence[tuple[Delivery, Remembered]]) -> list[Delivery]:
        """Two OMS orders with one Redo id would overwrite each other for ever: the later one is refused."""
        new_ids = [
            delivery.order.order_id
            for delivery, remembered in found
            if remembered.checkpoint is None or remembered.checkpoint.order_id != delivery.order.order_id
        ]
        owners = await self._insist(lambda: self._memory.owners(new_ids)) if new_ids else {}
        sound = []
        for delivery, _ in found:
            key, order_id = delivery.entry.key, delivery.order.order_id
            owner = self._order_ids.get(order_id) or owners.get(order_id)
            if owner is None or owner == key:
                self._order_ids[order_id] = key
                sound.append(delivery)
            else:
                await self._duplicate(delivery, owner)
        return sound

    async def _duplicate(self, delivery: Delivery, owner: OrderKey) -> None:
        """The owner may just have left the mapping: look at it too, and only then refuse."""
        entry, now = delivery.entry, time.time()
        if entry.attempts < DUPLICATE_LOOKS:
            if owner not in self._busy:
                arrival = Arrival(self._next_revision(), now, entry.lane, frozenset({owner}))
                await self._insist(lambda: self._memory.arrive([arrival], []))
            again = Again(now + 0.5 * 2**entry.attempts, entry.attempts + 1, entry.confirm)
            self._settle(Settled(Settlement(entry, again=again), None))
            return
        message = f"the mapping gives this order the same id as order {owner}: make `id` unique"
        self._settle(refuse(entry, "duplicate", message, now, paths=("id",)))

    async def _deliver(self, delivery: Delivery) -> None:
        key = delivery.entry.key
        try:
            if not await self._gate.enter(key, delivery.entry.lane):
                self._settle(put_back(delivery, time.time()))
                return
            outcome: Outcome | None = None
            was_closed = self._gate.pause is not None
            try:
                reach("deliver.before_push")
                outcome = await self._redo.push(delivery.order)
                reach("deliver.after_push")
            finally:
                self._gate.leave(key, outcome)
                self.wake()
        finally:
            self._order_ids.pop(delivery.order.order_id, None)
        now = time.time()
        settled = conclude(delivery, outcome, now)
        if settled.result is Result.PUSHED:
            self.last_accepted_at = now
            if delivery.entry.lane is not Lane.SWEEP:
                self._observer.sync_latency(now - delivery.entry.since)
        elif settled.result is None:
            self._observer.retry(outcome.reason or outcome.kind.value)
        if was_closed and self._gate.pause is None:
            await self._insist(self._memory.hasten)
            self._due = None
        self._settle(settled)

    def _settle(self, settled: Settled) -> None:
        again = settled.settlement.again
        if again is not None and self._due is not None:
            self._due = min(self._due, again.due)
        if settled.result is not None:
            self._observer.order(settled.result.value)
            found = settled.result in (Result.PUSHED, Result.MISSING)
            if found and settled.settlement.entry.lane is Lane.SWEEP and self._reconciling():
                self._observer.drift(1)
        if settled.settlement.dead_letter is not None:
            self._notices.refused(settled.settlement.dead_letter)
        assert self.settler is not None  # noqa: S101 -- wired before the first step
        self.settler.settle(settled.settlement)

    def written(self, settlements: Sequence[Settlement]) -> None:
        """The settlements are in the store: their orders may be taken again."""
        for settlement in settlements:
            self._busy.pop(settlement.entry.key, None)
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
