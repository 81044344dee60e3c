"""A walk over all orders: the first backfill, and later comparisons (reconcile).

A sweep only puts keys into the ledger, a page at a time and only when the road is hungry, so live changes go first and
a sweep never piles up. Its place is stored with each page: after a kill it goes on where it was. It must not know how
an order is assembled or pushed.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING

import structlog

from connector.model.changes import Lsn, Snapshot
from connector.model.errors import OrderUnreadable
from connector.model.orders import FORMER_KEYS, OrderKey, is_former
from connector.pipeline.clock import MACHINE, Clock
from connector.pipeline.failpoints import reach
from connector.pipeline.heartbeat import Heartbeat
from connector.pipeline.ports.entries import Arrival, Commit, Lane
from connector.pipeline.ports.protocols import Assembler, Observer
from connector.pipeline.ports.records import Sweep, SweepKind
from connector.pipeline.ports.store import CheckpointStore
from connector.pipeline.read.batch import BatchSize

if TYPE_CHECKING:
    from connector.pipeline.revisions import Revisions

log = structlog.get_logger("connector.pipeline")

PAGE = 1000
REST_SHARE = 1.0
"""A sweep that the stream asked for rests this many times its own length before the next one, so that a table whose
deletes can't be routed costs the OMS at most half of one connection."""
REST_LEAST = 5.0
OF_SOURCE, OF_CHECKPOINTS, OF_LETTERS, OF_FORMER, WALKED = range(5)
"""Phases of a sweep: what it walks, and that it has put everything on the road. Former keys come last, once everything
else was looked at: each order has had its chance to take over what is stored at its place."""
LOOK_AGAIN = 1.0
"""Seconds until a replica that is behind is asked again."""
BY_THE_CLOCK = "reconcile.every"
ASKED = "asked"
PACED = frozenset({BY_THE_CLOCK, ASKED})
"""Causes that know of no gap: these sweeps take their time."""
OLD_STORE = "the slot is further than the checkpoints"
"""Redo may have accepted newer orders than the checkpoints say."""
RESEND = "asked to push everything again"
ELSEWHERE = "another address or store of Redo"
RESENDING = frozenset({OLD_STORE, RESEND})
"""Causes for which every order is pushed, equal or not: such a sweep takes the place of any other."""
APPROVED_NOTE = "approved_sweep"
"""The revision of the sweep that a person has approved: what it goes on to find isn't held again."""
MEANWHILE = "asked for during another sweep"


class Sweeper:
    """Owns the sweep's state. `asked` is called by others within the event loop, `run` is its own task."""

    def __init__(
        self,
        store: CheckpointStore,
        assembler: Assembler,
        revisions: Revisions,
        observer: Observer,
        wake: Callable[[], None],
        every: float | None,
        per_second: float | None = None,
        clock: Clock = MACHINE,
    ) -> None:
        self._store = store
        self._assembler = assembler
        self._revisions = revisions
        self._observer = observer
        self._wake = wake
        self._every = every
        self._per_second = per_second
        self._clock = clock
        self._saving = asyncio.Lock()
        self._not_before = 0.0
        self._wanted = asyncio.Event()
        self._hungry = asyncio.Event()
        self._drained = False
        self._rest_until = 0.0
        self._begun = asyncio.Event()
        self._begins_at = Lsn(0)
        self._behind = False
        self._pages, self._known_pages = BatchSize(PAGE), BatchSize(PAGE)
        self.heartbeat = Heartbeat("sweeper", "walking over all orders")
        self.sweep_over: Callable[[], Awaitable[int | None]] | None = None
        self.former_over: Callable[[int], None] = lambda left: None
        """Told how many former keys were left to be looked at in a sweep."""
        self._left = 0
        self.current: Sweep | None = None
        self.last: Sweep | None = None
        """The latest finished one."""
        self.verified_through: float | None = None
        """Every commit before this time was found at Redo, or a dead letter, in a sweep that nothing was held from."""
        self.estimate = 0

    async def load(self) -> None:
        sweep = await self._store.sweep()
        if sweep is not None and sweep.finished_at is not None and sweep.wanted_revision > sweep.revision:
            sweep = _follow_up(sweep, self._clock.wall())  # the last run ended just before it was stored
        self.current = sweep
        finished = await self._store.sweeps(100)
        self.last = finished[0] if finished else None
        self.verified_through = next((sweep.started_at for sweep in finished if not sweep.held), None)

    def stream_begins(self, at: Lsn) -> None:
        """What was committed before this position the stream doesn't tell: a walk must see it. None begins before the
        first call."""
        self._begins_at = at
        self._begun.set()

    def found(self, kind: str) -> None:
        """The road found an order of the sweep `missed`, `changed` or `extra`."""
        if self.current is not None:
            self.current = replace(self.current, **{kind: getattr(self.current, kind) + 1})

    @property
    def active(self) -> bool:
        return self.current is not None and self.current.finished_at is None

    def asked(self, cause: str, revision: int, kind: SweepKind = SweepKind.RECONCILE) -> None:
        """All orders must be looked at, in snapshots that show the commit of `revision`. To be saved."""
        now = self._clock.wall()
        if self.current is None or self.current.finished_at is not None or cause in RESENDING:
            # One that pushes every order takes the place of one that compares, and does what that would have done.
            self.current = Sweep(kind, cause, revision, revision, now)
        else:
            urgent = self.current.cause in PACED and cause not in PACED
            self.current = replace(
                self.current, wanted_revision=revision, cause=cause if urgent else self.current.cause
            )
        self._wanted.set()

    async def ask(self, cause: str, kind: SweepKind) -> int:
        """Durably ask for a sweep on behalf of a person, the clock, or a changed mapping. Returns its revision: a
        finished sweep of that one or a later one has done it."""
        self._rest_until = 0.0
        revision = self._revisions.next()
        self.asked(cause, revision, kind)
        async with self._saving:
            await self._store.save_sweep(self._state())
        return revision

    async def begin_anew(self, cause: str, oldest_unseen: int | None) -> None:
        """The sweep that is on, if there is one, knows its place by a key that is none any more: all orders from the
        beginning, in snapshots that show whatever none has shown yet."""
        revision, before, active = self._revisions.next(), self.current, self.active
        first = revision if oldest_unseen is None else min(revision, oldest_unseen)
        kind = before.kind if before is not None and active else SweepKind.RECONCILE
        pushes_all = before is not None and active and before.cause == OLD_STORE
        wanted = max(first, before.wanted_revision if before is not None and active else 0)
        self.current = Sweep(kind, OLD_STORE if pushes_all else cause, first, wanted, self._clock.wall())
        await self._store.arrive([], [], self.current)

    async def save(self, arrivals: Sequence[Arrival] = (), commits: Sequence[Commit] = ()) -> None:
        """Store the present state, with what arrives. One call at a time: a write that is repeated must not overwrite a
        newer state."""
        async with self._saving:
            await self._store.arrive(arrivals, commits, self.current)

    def feed_me(self, *, finished: bool) -> None:
        """The road has room and nothing that is due; `finished`: nothing of a sweep is in work either."""
        self._drained = finished
        # Once all pages are on the road only that counts; else sweeper and road would wake each other without a rest.
        if finished or self.current is None or self.current.phase < OF_FORMER:
            self._hungry.set()

    async def step(self) -> None:
        """Wait until a page is due and wanted, then put it on the road. Raises SourceUnavailable, MappingBroken."""
        sweep = self.current
        if sweep is None or sweep.finished_at is not None:
            with self.heartbeat.resting():
                await self._wait_for_work(sweep)
            return
        with self.heartbeat.resting():
            await self._wait_for_turn(sweep)
        if sweep.phase == OF_SOURCE:
            await self._page_of_source()
        elif sweep.phase < OF_FORMER:
            await self._page_of_known()
        elif sweep.phase == OF_FORMER:
            if self._drained:
                await self._page_of_former()
        elif self._drained:
            await self._finish_unless_more()

    async def _wait_for_turn(self, sweep: Sweep) -> None:
        rest = self._rest_until - self._clock.wall()
        if rest > 0 and sweep.scanned == 0 and sweep.cursor is None and sweep.phase == OF_SOURCE:
            await asyncio.sleep(rest)
        await asyncio.sleep(max(0.0, self._not_before - self._clock.timer()))
        self._hungry.clear()
        self._wake()
        await self._hungry.wait()

    async def _wait_for_work(self, sweep: Sweep | None) -> None:
        self._wanted.clear()
        last = sweep.finished_at if sweep is not None else None
        if self._every is None or last is None:
            await self._wanted.wait()
            return
        try:
            await asyncio.wait_for(self._wanted.wait(), max(0.0, last + self._every - self._clock.wall()))
        except TimeoutError:
            await self.ask(BY_THE_CLOCK, SweepKind.RECONCILE)

    async def _page_of_source(self) -> None:
        with self.heartbeat.resting():
            await self._begun.wait()
        before = self._state()
        if self._per_second is not None and before.cause in PACED:
            self._not_before = self._clock.timer() + PAGE / self._per_second
        if before.cursor is None:
            self.estimate = await self._assembler.estimate()
        try:
            with self._pages.page() as size:
                page = await self._assembler.scan(before.cursor, size)
        except OrderUnreadable:
            # Its place may be a key that is none any more, and from the beginning the walk does more than it must.
            if before.cursor is not None and await self._assembler.misfits([OrderKey(before.cursor)]):
                await self._enqueue(frozenset(), replace(self._state(), cursor=None, scanned=0))
                return
            raise
        if self._replaced(before) or await self._too_old(page.snapshot):
            return
        after = replace(
            self._state(),
            cursor=page.cursor,
            phase=OF_SOURCE if page.cursor is not None else OF_CHECKPOINTS,
            scanned=before.scanned + len(page.keys),
        )
        await self._enqueue(frozenset(page.keys), after)
        self._observer.swept(after.kind, len(page.keys))

    async def _too_old(self, snapshot: Snapshot) -> bool:
        """A replica may be behind where the stream begins: wait for a moment. A primary isn't, because it makes a slot
        where no transaction from before is running."""
        behind = snapshot.replay_lsn is not None and snapshot.replay_lsn < self._begins_at
        if behind and not self._behind:
            log.warning("replica_behind", next="the walk over all orders waits until source.read_dsn has caught up")
        self._behind = behind
        if behind:
            with self.heartbeat.resting():
                await asyncio.sleep(LOOK_AGAIN)
        return behind

    async def _page_of_known(self) -> None:
        """Orders that Redo holds, or refused, and the order table no longer has."""
        before = self._state()
        with self._known_pages.page() as size:
            keys = await self._page(before.phase, OrderKey(before.cursor) if before.cursor else None, size)
            todays = [key for key in keys if not is_former(key)]
            gone = await self._assembler.absent(todays) if todays else frozenset()
        if self._replaced(before):
            return
        phase = before.phase if keys else before.phase + 1
        after = replace(self._state(), cursor=keys[-1] if keys else None, phase=phase)
        await self._enqueue(gone, after)

    async def _page_of_former(self) -> None:
        """What Redo holds by former keys, and no order has taken over."""
        before = self._state()
        after = OrderKey(before.cursor) if before.cursor else FORMER_KEYS
        keys = await self._store.page_checkpoints(after, PAGE)
        former = [key for key in keys if is_former(key)]
        if self._replaced(before):
            return
        self._left = len(former) + (self._left if before.cursor else 0)
        if not former:
            self.former_over(self._left)
        phase = OF_FORMER if former else WALKED
        await self._enqueue(
            frozenset(former), replace(self._state(), cursor=former[-1] if former else None, phase=phase)
        )

    async def _page(self, phase: int, after: OrderKey | None, size: int) -> list[OrderKey]:
        if phase == OF_CHECKPOINTS:
            return await self._store.page_checkpoints(after, size)
        return await self._store.letter_keys(None, after, size)

    async def _enqueue(self, keys: frozenset[OrderKey], after: Sweep) -> None:
        self.current = after
        arrivals = []
        if keys:
            revision = self._revisions.next()
            first, confirm = min(after.revision, revision), after.cause in RESENDING
            arrivals = [Arrival(revision, self._clock.wall(), Lane.SWEEP, keys, first_revision=first, confirm=confirm)]
        await self.save(arrivals)
        reach("sweep.after_page")
        self._wake()

    async def _finish_unless_more(self) -> None:
        """Everything that the sweep put on the road has been looked at; the guard may let some of it go only now."""
        before = self._state()
        held = await self.sweep_over() if self.sweep_over is not None else 0
        if held is not None and not self._replaced(before):
            await self._finish(held)

    async def _finish(self, held: int) -> None:
        now = self._clock.wall()
        sweep = replace(self._state(), held=held, finished_at=now)
        self._rest_until = now + max(REST_LEAST, REST_SHARE * (now - sweep.started_at))
        async with self._saving:
            await self._store.save_sweep(sweep)
        self.last = sweep
        if not held:
            self.verified_through = sweep.started_at
        if self._replaced(sweep):
            await self.save()
        elif self._state().wanted_revision > sweep.revision:
            self.current = _follow_up(self._state(), now)
            await self.save()
        else:
            self.current = sweep

    def _replaced(self, before: Sweep) -> bool:
        """Another sweep has taken its place meanwhile, and begins at the beginning."""
        return self._state().revision != before.revision

    def _state(self) -> Sweep:
        assert self.current is not None  # noqa: S101 -- only called while a sweep is on
        return self.current


def _follow_up(sweep: Sweep, now: float) -> Sweep:
    """What was asked for while the sweep ran."""
    cause = MEANWHILE if sweep.cause in RESENDING else sweep.cause
    return Sweep(SweepKind.RECONCILE, cause, sweep.wanted_revision, sweep.wanted_revision, now)
