"""The ledger as a queue: what is due is taken from it, and keys are added.

What arrives, and what is settled, is written together with taking what is due then: an order that nothing keeps back
is in work after one durable write. It must not know how many orders fit, nor what becomes of them.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Collection, Iterable, Sequence
from dataclasses import dataclass
from typing import Protocol

from connector.model.orders import OrderKey
from connector.pipeline.context import Context
from connector.pipeline.dispatch.backpressure import Backpressure
from connector.pipeline.dispatch.due_times import DueTimes
from connector.pipeline.failpoints import reach
from connector.pipeline.ports.entries import Arrival, Commit, Entry, Lane, Room
from connector.pipeline.ports.records import Settlement, Taken
from connector.pipeline.read.read_pause import ReadPause


class Capacity(Protocol):
    """How much fits at present."""

    def room(self, freed: Collection[OrderKey] = ()) -> Room | None: ...

    def failing_room(self, *, others: bool) -> Room | None: ...


@dataclass(frozen=True, slots=True)
class Look:
    """What the dispatcher found: whether `all` that is due was taken, and whether of every lane."""

    all: bool
    every_lane: bool


class LedgerQueue:
    """Keeps what is in work (`Context.in_work`) and when the rest falls due."""

    def __init__(self, context: Context, read_pause: ReadPause, backpressure: Backpressure) -> None:
        self._store = context.store
        self._clock = context.clock
        self._revisions = context.revisions
        self._in_work = context.in_work
        self._wake = context.wake
        self.read_pause = read_pause
        self._backpressure = backpressure
        self.quiet_until = 0.0
        """Nothing is taken until then: a request under a former key may be carried out late."""
        self._due_times = DueTimes(context)
        self._failing_due_times = DueTimes(context, failing=True)
        self._capacity: Capacity | None = None
        self._examine: Callable[[Sequence[Entry]], None] | None = None
        self._taking = asyncio.Lock()
        """One call at a time takes entries, so that none is taken twice."""
        self._short = False
        """The dispatcher found no room for some that may be due: it looks again once something was settled."""

    def open(self, capacity: Capacity, examine: Callable[[Sequence[Entry]], None]) -> None:
        """From now on entries are taken, as far as there is room, and given to `examine`."""
        self._capacity, self._examine = capacity, examine

    def close(self) -> None:
        """Nothing is taken any more."""
        self._capacity = None

    @property
    def not_before(self) -> float:
        """Nothing is to be taken until then (seconds since 1970)."""
        return max(self.read_pause.until, self.quiet_until)

    def arrived(self) -> None:
        """Something changed in the OMS."""
        self.read_pause.changed()
        self._wake.set()

    async def arrive(self, arrivals: Sequence[Arrival], commits: Sequence[Commit]) -> None:
        """Add what transactions affected, durably, and take what is due."""
        self.read_pause.changed()
        await self._write_and_take(lambda room: self._store.arrive(arrivals, commits, None, room))

    async def settle(self, settlements: Sequence[Settlement], written: Callable[[Sequence[Settlement]], None]) -> None:
        """Write what became of orders, and take what is due. `written` is called in between."""

        async def settle(room: Room | None) -> Taken | None:
            taken = await self._store.settle(settlements, room)
            reach("settle.after")
            written(settlements)
            self._written(settlements)
            return taken

        await self._write_and_take(settle, frozenset(one.entry.key for one in settlements))

    async def _write_and_take(
        self, write: Callable[[Room | None], Awaitable[Taken | None]], freed: Collection[OrderKey] = ()
    ) -> None:
        """Where nothing fits, more is due, or nothing could be taken (None), it is the dispatcher's turn afterwards."""
        async with self._taking:
            room = self._room(freed)
            taken = await write(room)
            if room is None or taken is None or not self._took(room, taken):
                self._wake.set()

    async def take(self) -> Look | None:
        """The next due entries, and those that failed. None: nothing fits."""
        async with self._taking:
            room = self._room()
            self._short = True
            if room is None or self._capacity is None:
                return None
            taken = await self._store.take(room)
            all_taken = self._took(room, taken)
            failing = self._capacity.failing_room(others=bool(taken.entries))
            if failing is not None and await self._failing_due_times.any_due(self._in_work.keys):
                self._took(failing, await self._store.take(failing))
            self._short = failing is None or not room.of_every_lane
            return Look(all_taken, room.of_every_lane)

    def _room(self, freed: Collection[OrderKey] = ()) -> Room | None:
        """As things are now: whoever asks is the one who takes."""
        if self._capacity is None or self.not_before > self._clock.now():
            return None
        return self._capacity.room(freed)

    def _took(self, room: Room, taken: Taken) -> bool:
        """These are in work from now on. Whether that was all that was due."""
        reach("dispatch.after_take")
        self._in_work.take(taken)
        self._in_work.progressed()
        if self._examine is not None:
            self._examine(taken.entries)
        all_taken = len(taken.entries) < room.limit
        if all_taken and room.of_every_lane and not room.failing:
            self._backpressure.has_room(drained=self._in_work.sweeps_are_done)
        return all_taken

    def _written(self, settlements: Sequence[Settlement]) -> None:
        """The settlements are in the store: their orders may be taken again."""
        for settlement in settlements:
            if settlement.again is not None:
                times = self._failing_due_times if settlement.again.attempts else self._due_times
                times.put_back(settlement.again.due)
            if settlement.again is not None or settlement.entry.attempts:
                self._wake.set()  # it may be due before what the dispatcher waits for, or make room for one that failed
        self._in_work.remove(settlement.entry.key for settlement in settlements)
        if self._short:
            self._wake.set()

    async def seconds_until_due(self, *, usual: bool) -> float | None:
        """Until an entry that backs off falls due, of those that never failed (`usual`) and those that did and fit;
        None when none does."""
        times = [await self._due_times.next_due(self._in_work.keys)] if usual else []
        if self._capacity is not None and self._capacity.failing_room(others=False) is not None:
            # In work as of now: what was put back while the store was asked for the others would be passed over.
            times.append(await self._failing_due_times.next_due(self._in_work.keys))
        return min((max(0.0, due - self._clock.now()) for due in times if due is not None), default=None)

    async def add(
        self, keys: Iterable[OrderKey], lane: Lane, *, revision: int | None = None, confirm: bool = False
    ) -> None:
        """Have these looked at again; `confirm`: and pushed even when nothing differs. `revision`: not the next one."""
        number = self._revisions.next() if revision is None else revision
        arrival = Arrival(number, self._clock.now(), lane, frozenset(keys), confirm=confirm)
        await self._store.arrive([arrival], [])
        self._wake.set()

    async def hasten(self, most_attempts: int | None = None) -> None:
        """What backs off is due at once; with `most_attempts` only what failed no more often."""
        await self._store.hasten(most_attempts)
        self._due_times.forget()
        self._failing_due_times.forget()
        self._wake.set()

    async def resume(self) -> None:
        """Orders can be read again: those that wait for it need not wait longer."""
        self.read_pause.end()
        await self.hasten()
