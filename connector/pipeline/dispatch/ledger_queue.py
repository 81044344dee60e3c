"""The ledger as a queue: what is due is taken from it, and keys are added. It must not know how many orders fit."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from connector.model.orders import OrderKey
from connector.pipeline.context import Context
from connector.pipeline.dispatch.due_times import DueTimes
from connector.pipeline.ports.entries import Arrival, Entry, Lane
from connector.pipeline.ports.records import Settlement
from connector.pipeline.read.read_pause import ReadPause


class LedgerQueue:
    """Keeps what is in work (`Context.in_work`) and when the rest falls due."""

    def __init__(self, context: Context, read_pause: ReadPause) -> None:
        self._store = context.store
        self._clock = context.clock
        self._revisions = context.revisions
        self._in_work = context.in_work
        self._wake = context.wake
        self.read_pause = read_pause
        self.quiet_until = 0.0
        """Nothing is taken until then: a request under a former key may be carried out late."""
        self._due_times = DueTimes(context)
        self._failing_due_times = DueTimes(context, failing=True)

    @property
    def not_before(self) -> float:
        """Nothing is to be taken until then (seconds since 1970)."""
        return max(self.read_pause.until, self.quiet_until)

    def arrived(self) -> None:
        """Something changed in the OMS."""
        self.read_pause.changed()
        self._wake.set()

    async def take(self, limit: int, lanes: Sequence[Lane], *, failing: bool = False) -> list[Entry]:
        """The next due entries, in work from now on. `failing`: of those that failed."""
        busy = self._in_work.keys
        entries = await self._store.take(limit, self._clock.now(), busy, lanes, failing=failing)
        self._in_work.take(entries)
        return entries

    async def failing_are_due(self) -> bool:
        return await self._failing_due_times.any_due(self._in_work.keys)

    async def seconds_until_due(self, *, usual: bool, failing: bool) -> float | None:
        """Until an entry that backs off falls due, of those that never failed (`usual`) and those that did; None when
        none does."""
        times = [await self._due_times.next_due(self._in_work.keys)] if usual else []
        if failing:
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

    def written(self, settlements: Sequence[Settlement]) -> None:
        """The settlements are in the store: their orders may be taken again."""
        for settlement in settlements:
            if settlement.again is not None:
                times = self._failing_due_times if settlement.again.attempts else self._due_times
                times.put_back(settlement.again.due)
        self._in_work.remove(settlement.entry.key for settlement in settlements)
        self._wake.set()
