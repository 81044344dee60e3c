"""Which sweep over all orders is on, which are wanted, and which was the last one.

It must not know how a sweep walks, or what it finds.
"""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from dataclasses import replace

import structlog

from connector.model.changes import Lsn, Snapshot
from connector.pipeline.context import Context
from connector.pipeline.ports.entries import Arrival, Commit
from connector.pipeline.ports.records import Sweep, SweepKind

log = structlog.get_logger("connector.pipeline")

REST_SHARE = 1.0
"""A sweep that the stream asked for rests this many times its own length before the next one, so that a table whose
deletes can't be routed costs the OMS at most half of one connection."""
REST_LEAST = 5.0
LONGEST_WAIT = 600.0
"""Seconds until it is looked again whether a sweep is due: the event loop's timers stand still while the machine
sleeps."""
BY_THE_CLOCK = "reconcile.every"
ASKED = "asked"
PACED = frozenset({BY_THE_CLOCK, ASKED})
"""Causes that know of no gap: these sweeps take their time."""
OLD_STORE = "the slot is further than the checkpoints"
"""Redo may have accepted newer orders than the checkpoints say."""
RESEND = "asked to push everything again"
ELSEWHERE = "another address or store of Redo"
MAPPING_CHANGED = "mapping changed"
TERMS_CHANGED = "contract settings changed"
MAPPING_UNFIT = "the mapping did not fit"
EXPECTED = frozenset({MAPPING_CHANGED, TERMS_CHANGED, MAPPING_UNFIT, RESEND, ELSEWHERE})
"""Causes by which orders differ because somebody wanted it so, or couldn't be read: that isn't drift."""
RESENDING = frozenset({OLD_STORE, RESEND})
"""Causes for which every order is pushed, equal or not: such a sweep takes the place of any other."""
APPROVED_NOTE = "approved_sweep"
"""The revision of the sweep that a person has approved: what it goes on to find isn't held again."""
MEANWHILE = "asked for during another sweep"


class Sweeps:
    """Owns the state of the present sweep. `every`: seconds from one to the next; None: none is due by the clock.
    `per_second`: how many orders one that isn't urgent may compare; None: as many as there is room for."""

    def __init__(self, context: Context, every: float | None = None, per_second: float | None = None) -> None:
        self._store = context.store
        self._revisions = context.revisions
        self._clock = context.clock
        self._every = every
        self._per_second = per_second
        self._saving = asyncio.Lock()
        self._wanted = asyncio.Event()
        self._begun = asyncio.Event()
        self.begins_at = Lsn(0)
        """What was committed before this position the stream doesn't tell: a walk must see it."""
        self.rest_until = 0.0
        """No new walk begins before (by the timer)."""
        self._began_at = self._ended_at = self._clock.timer()
        """When the present sweep began, and the last one ended, by the timer: the wall's clock may be set."""
        self._approved: int | None = None
        """The revision of the sweep of which a person has approved all that it finds."""
        self.current: Sweep | None = None
        self.last: Sweep | None = None
        """The latest finished one."""
        self.verified_through: float | None = None
        """Every commit before this time was found at Redo, or a dead letter, in a sweep that nothing was held from."""
        self.estimate: int | None = None
        """About how many orders there are, once a walk has counted."""

    async def load(self) -> None:
        sweep = await self._store.sweep()
        if sweep is not None and sweep.finished_at is not None and sweep.wanted_revision > sweep.revision:
            sweep = _follow_up(sweep, self._clock.wall())  # the last run ended just before it was stored
        if sweep is not None and sweep.finished_at is not None and self._every is not None:
            ago = self._clock.wall() - sweep.finished_at
            self._ended_at = self._clock.timer() - min(max(0.0, ago), self._every)
        self.current = sweep
        finished = await self._store.sweeps(100)
        self.last = finished[0] if finished else None
        self.verified_through = next((sweep.started_at for sweep in finished if not sweep.held), None)
        approved = await self._store.noted(APPROVED_NOTE)
        self._approved = int(approved) if approved else None

    def stream_begins(self, at: Lsn) -> None:
        """No walk begins before the first call."""
        self.begins_at = at
        self._begun.set()

    def not_yet_in(self, snapshot: Snapshot) -> bool:
        """Whether a replica is behind where the stream begins. A primary isn't, because it makes a slot where no
        transaction from before is running."""
        return snapshot.replay_lsn is not None and snapshot.replay_lsn < self.begins_at

    async def until_stream_begins(self) -> None:
        await self._begun.wait()

    async def until_wanted(self) -> None:
        """Wait while no sweep is active; ask for one once it is due by the clock."""
        self._wanted.clear()
        last = self.current.finished_at if self.current is not None else None
        if self._every is None or last is None:
            await self._wanted.wait()
            return
        left = max(0.0, self._ended_at + self._every - self._clock.timer())
        try:
            async with asyncio.timeout(min(LONGEST_WAIT, left)):
                await self._wanted.wait()
        except TimeoutError:
            if left <= LONGEST_WAIT:
                await self.ask(BY_THE_CLOCK, SweepKind.RECONCILE)

    def found(self, kind: str) -> None:
        """An order of the sweep was `missed`, `changed` or `extra`, and then `pushed` or `refused`."""
        if self.current is not None:
            self.current = replace(self.current, **{kind: getattr(self.current, kind) + 1})

    @property
    def active(self) -> bool:
        return self.current is not None and self.current.finished_at is None

    @property
    def present(self) -> Sweep:
        """The current one, while there is one."""
        assert self.current is not None  # noqa: S101 -- only asked while a sweep is on
        return self.current

    def time_for(self, orders: int) -> float:
        """Seconds that the present one is to take for so many orders at least."""
        return 0.0 if self._per_second is None or self.present.cause not in PACED else orders / self._per_second

    def replaced(self, before: Sweep) -> bool:
        """Another sweep has taken its place meanwhile, and begins at the beginning."""
        return self.present.revision != before.revision

    def asked(self, cause: str, revision: int, kind: SweepKind = SweepKind.RECONCILE) -> None:
        """All orders must be looked at, in snapshots that show the commit of `revision`. To be saved."""
        current = self.current
        if current is None or current.finished_at is not None or cause in RESENDING:
            # One that pushes every order takes the place of one that compares, and does what that would have done.
            self.current = Sweep(kind, cause, revision, revision, self._clock.wall())
            self._began_at = self._clock.timer()
        else:
            urgent = current.cause in PACED and cause not in PACED
            self.current = replace(current, wanted_revision=revision, cause=cause if urgent else current.cause)
        self._wanted.set()

    async def ask(self, cause: str, kind: SweepKind) -> int:
        """Durably ask for a sweep on behalf of a person, the clock, or a changed mapping. Returns its revision: a
        finished sweep of that one or a later one has done it."""
        self.rest_until = 0.0
        revision = self._revisions.next()
        self.asked(cause, revision, kind)
        async with self._saving:
            await self._store.save_sweep(self.present)
        return revision

    async def approve(self) -> None:
        """What the present one goes on to find isn't held again."""
        if self.active:
            self._approved = self.present.revision
            await self._store.note(APPROVED_NOTE, str(self._approved))

    def is_approved(self, sweep: Sweep) -> bool:
        return sweep.revision == self._approved

    async def fill_anew(self, cause: str) -> None:
        """A first fill from the beginning, in place of whatever sweep is on."""
        revision = self._revisions.next()
        self.current = Sweep(SweepKind.BACKFILL, cause, revision, revision, self._clock.wall())
        self._began_at = self._clock.timer()
        self._wanted.set()
        await self.save()

    async def begin_anew(self, cause: str, oldest_unseen: int | None) -> None:
        """The sweep that is on, if there is one, knows its place by a key that is none any more: all orders from the
        beginning, in snapshots that show whatever none has shown yet."""
        revision, before = self._revisions.next(), self.current if self.active else None
        first = revision if oldest_unseen is None else min(revision, oldest_unseen)
        kind = before.kind if before is not None else SweepKind.RECONCILE
        pushes_all = before is not None and before.cause == OLD_STORE
        wanted = max(first, before.wanted_revision if before is not None else 0)
        self.current = Sweep(kind, OLD_STORE if pushes_all else cause, first, wanted, self._clock.wall())
        self._began_at = self._clock.timer()
        await self.save()

    async def save(self, arrivals: Sequence[Arrival] = (), commits: Sequence[Commit] = ()) -> None:
        """Store the present state, with what arrives. One call at a time: a write that is repeated must not overwrite a
        newer state."""
        async with self._saving:
            await self._store.arrive(arrivals, commits, self.current)

    async def save_place(self) -> None:
        """Store the present state, where nothing arrives with it. What a power cut undoes is walked again."""
        async with self._saving:
            await self._store.save_sweep(self.present)

    async def finish(self, held: int) -> None:
        """`held`: how many orders wait for approval. What was asked for meanwhile comes next."""
        now, ended = self._clock.wall(), self._clock.timer()
        sweep = replace(self.present, held=held, finished_at=now)
        self.rest_until = ended + max(REST_LEAST, REST_SHARE * (ended - self._began_at))
        seconds, self._ended_at, self._began_at = ended - self._began_at, ended, ended
        async with self._saving:
            await self._store.save_sweep(sweep)
        _log(sweep, self.last, seconds)
        self.last = sweep
        if not held:
            self.verified_through = sweep.started_at
        if self.replaced(sweep):
            await self.save()
        elif self.present.wanted_revision > sweep.revision:
            self.current = _follow_up(self.present, now)
            await self.save()
        else:
            self.current = sweep


def _log(sweep: Sweep, before: Sweep | None, seconds: float) -> None:
    """What it came to. Comparisons that follow each other for the same reason, and find nothing, have one line."""
    seconds = round(seconds, 1)
    if sweep.kind is SweepKind.BACKFILL:
        log.info(
            "backfill_done",
            cause=sweep.cause,
            orders=sweep.scanned,
            pushed=sweep.pushed,
            refused=sweep.refused,
            held=sweep.held,
            seconds=seconds,
        )
        return
    again = before is not None and before.cause == sweep.cause and sweep.cause not in PACED
    if again and not sweep.missed + sweep.changed + sweep.extra:
        return
    log.info(
        "comparison_done",
        cause=sweep.cause,
        orders=sweep.scanned,
        pushed=sweep.pushed,
        refused=sweep.refused,
        held=sweep.held,
        missed=sweep.missed,
        changed=sweep.changed,
        extra=sweep.extra,
        seconds=seconds,
    )


def _follow_up(sweep: Sweep, now: float) -> Sweep:
    """What was asked for while the sweep ran."""
    cause = MEANWHILE if sweep.cause in RESENDING else sweep.cause
    return Sweep(SweepKind.RECONCILE, cause, sweep.wanted_revision, sweep.wanted_revision, now)
