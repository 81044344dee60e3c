"""The age of the oldest committed change that Redo may not have: since when, by what was read, by what waits, and by
comparisons of all orders that are under way.

Three things can be behind. An order or a lookup waits in the ledger: since its change was committed. The stream is
behind, or cut off: since the server was last asked for its position and everything up to it was in the ledger. The
stream may have lacked something, or Redo is filled for the first time: since everything was last there, until the sweep
over all orders ends. Changes nothing but the note by which a restart goes on with it.
"""

from __future__ import annotations

from contextlib import suppress
from dataclasses import dataclass

from connector.model.changes import Lsn
from connector.model.errors import CheckpointsLost, CheckpointsUnwritable
from connector.pipeline.intake.progress import IN_STEP_NOTE, since_noted
from connector.pipeline.run import Pipeline
from connector.pipeline.sweeps.state import PACED
from connector.source.objects.slot import SlotReport

NOTE_EVERY = 30.0
"""Seconds between two notes: by so much a restart may count too much."""
FRESH = 3.0
"""Seconds that a position of the server's counts as its present one."""


@dataclass(frozen=True, slots=True)
class _Asked:
    """Where the server's WAL ended when it was asked (a moment of `Clock.now()`)."""

    lsn: Lsn
    at: float


@dataclass(frozen=True, slots=True)
class _Comparison:
    """A sweep over all orders, until whose end Redo may lack what was committed after `since`. `seen_at`: what it finds
    is complete up to then."""

    revision: int
    seen_at: float
    since: float


class SyncLag:
    """Moments are those of the pipeline's `Clock.now()`."""

    def __init__(self, pipeline: Pipeline) -> None:
        self._pipeline = pipeline
        self._clock = pipeline.clock
        self._taken_in = self._clock.now()
        """Everything that was committed before is in the ledger, or was."""
        self._awaited: _Asked | None = None
        """The oldest position of the server's that isn't taken in; None: there is none as of `_taken_in`."""
        self._comparison: _Comparison | None = None
        self._noted = 0.0
        self._loaded = False

    async def load(self) -> None:
        """Go on where the last run, or the last generation, was."""
        with suppress(CheckpointsUnwritable, CheckpointsLost):
            noted = await self._pipeline.ports.store.noted(IN_STEP_NOTE)
            self._taken_in -= since_noted(noted, self._clock.wall())
        self._loaded = True

    async def save(self, every: float = NOTE_EVERY) -> None:
        """Note it, once `every` seconds at most."""
        moment = self._complete_up_to
        if not self._loaded or moment < self._noted + every:
            return
        with suppress(CheckpointsUnwritable, CheckpointsLost):  # the pipeline's own error says it better
            await self._pipeline.ports.store.note(IN_STEP_NOTE, repr(self._clock.by_the_wall(moment)))
            self._noted = moment

    def look(self, asked_at: float, report: SlotReport | None) -> None:
        """`report`: what the server answered when it was asked at that moment; None when it didn't."""
        self._look_at_comparison(asked_at)
        position = self._pipeline.ports.source.position()
        if report is None or not position.connected:
            self._awaited = None  # the next server's positions may be others
            return
        if self._awaited is not None and report.current_lsn < self._awaited.lsn:
            self._awaited = None  # another server, or its WAL went back
        self._reach(position.flush_lsn)
        if position.flush_lsn >= report.current_lsn:
            self._taken_in = max(self._taken_in, asked_at)
        elif self._awaited is None:
            self._awaited = _Asked(report.current_lsn, asked_at)

    @property
    def stream_behind(self) -> float | None:
        """Seconds that the ledger is behind the server; None while nobody knows where the server is."""
        position, now = self._pipeline.ports.source.position(), self._clock.now()
        if not position.connected or not self._loaded:
            return None
        self._reach(position.flush_lsn)
        behind = max(0.0, now - self._taken_in)
        if self._awaited is not None:
            return behind
        return 0.0 if behind <= FRESH else None

    def seconds(self, oldest_waiting: float | None) -> float | None:
        """The lag at present; None while it isn't known what the last run left. `oldest_waiting`: when the oldest
        change that waits in the ledger was committed."""
        if not self._loaded:
            return None
        since = [] if oldest_waiting is None else [oldest_waiting]
        if self.stream_behind != 0.0:
            since.append(self._taken_in)
        if self._comparison is not None:
            since.append(self._comparison.since)
        return max(0.0, self._clock.now() - min(since)) if since else 0.0

    @property
    def _complete_up_to(self) -> float:
        return self._taken_in if self._comparison is None else min(self._taken_in, self._comparison.since)

    def _reach(self, flush: Lsn) -> None:
        if self._awaited is None:
            return
        if flush >= self._awaited.lsn:
            self._taken_in, self._awaited = max(self._taken_in, self._awaited.at), None
        elif (newest := self._pipeline.last_commit_time) is not None:
            # Commits come in their order. The server's clock may be ahead: what is awaited is no older than the asking.
            self._taken_in = max(self._taken_in, min(newest, self._awaited.at))

    def _look_at_comparison(self, now: float) -> None:
        sweeps, before = self._pipeline.sweeps, self._comparison
        if not sweeps.active or sweeps.present.cause in PACED:
            self._comparison = None
            return
        revision = sweeps.present.revision
        if before is None:
            self._comparison = _Comparison(revision, now, self._taken_in)
        elif revision != before.revision:
            ended = sweeps.last is not None and sweeps.last.revision >= before.revision
            self._comparison = _Comparison(revision, now, before.seen_at if ended else before.since)
