"""What the checkpoint store said when it was last asked: counts, holds, dead letters, and sweeps that have finished."""

from __future__ import annotations

from typing import Final

from connector.model.errors import CheckpointsLost, CheckpointsUnwritable
from connector.pipeline.ports.holds import Hold
from connector.pipeline.ports.records import LetterGroup, Sweep, SweepKind, Warned
from connector.pipeline.run import Pipeline
from connector.status.facts import NO_TALLY

WARNED: Final = 5
"""Of the latest suspicions, so many are shown."""
GROUPS: Final = 10
"""Of the largest groups of dead letters."""
SWEEPS: Final = 50
"""Finished sweeps that are looked through for a clean reconcile."""


class StoreSnapshot:
    def __init__(self, pipeline: Pipeline) -> None:
        self._pipeline = pipeline
        self._last_sweep: Sweep | None = None
        self.readable = False
        """Whether the rest is of the last second, not of before."""
        self.tally = NO_TALLY
        self.holds: tuple[Hold, ...] = ()
        self.warned: tuple[Warned, ...] = ()
        self.groups: tuple[LetterGroup, ...] = ()
        self.clean_reconcile: Sweep | None = None
        """The last one in which nothing differed."""

    async def refresh(self) -> None:
        """Keeps what was known before where the store can't be read."""
        store, letters = self._pipeline.ports.store, self.tally.dead_letters
        try:
            self.tally = await store.tally()
            if self.tally.dead_letters != letters:
                self.groups = tuple(await store.letter_groups())[:GROUPS]
            await self._refresh_sweeps()
            self.holds = tuple(await store.holds())
            self.warned = tuple(await store.warned(WARNED)) if self.tally.warnings else ()
            self.readable = True
        except (CheckpointsUnwritable, CheckpointsLost):
            self.readable = False  # the pipeline's own error says it better

    async def _refresh_sweeps(self) -> None:
        last = self._pipeline.sweeps.last
        if last is self._last_sweep:
            return
        done = await self._pipeline.ports.store.sweeps(SWEEPS)
        comparisons = (sweep for sweep in done if sweep.kind is SweepKind.RECONCILE)
        self.clean_reconcile = next((one for one in comparisons if not one.missed + one.changed + one.extra), None)
        self._last_sweep = last
