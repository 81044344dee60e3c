"""Gathers the facts about a running connector, once a second, for metrics, health and the status page.

Between the rooms, like `app`: it reads the pipeline's state and the slot's, and decides only what to call the whole.
"""

from __future__ import annotations

import asyncio
import time
from contextlib import AsyncExitStack
from dataclasses import replace

import structlog

from connector import __version__
from connector.errors import CheckpointsUnwritable, SourceUnavailable
from connector.pipeline.holds import Hold
from connector.pipeline.records import SweepKind, Tally, Warned
from connector.pipeline.run import Pipeline
from connector.source.slot import SlotReport, SlotWatch
from connector.status.facts import NO_TALLY, Counts, Facts, State
from connector.status.metrics import Metrics

log = structlog.get_logger("connector.vitals")

EVERY = 1.0
WARNED = 5
"""Of the latest suspicions, so many are shown."""
LATE_AFTER = 10.0
"""Seconds that a change may wait before the state is called catching up."""


class Vitals:
    def __init__(self, pipeline: Pipeline, metrics: Metrics, slot: SlotWatch, mapping_fingerprint: str) -> None:
        self._pipeline = pipeline
        self._metrics = metrics
        self._slot = slot
        self._mapping = mapping_fingerprint
        self._started_at = time.time()
        self._report: SlotReport | None = None
        self._tally = NO_TALLY
        self._holds: tuple[Hold, ...] = ()
        self._warned: tuple[Warned, ...] = ()
        self._said: State | None = None
        self.started = False
        self.stopping = False
        self.mapping_problem: str | None = None
        """Why the mapping, as it is now, can't be loaded; the pipeline may still run an older one."""

    async def start(self, stack: AsyncExitStack) -> None:
        """Gather in the background until the stack closes."""
        task = asyncio.create_task(self._gather(), name="vitals")

        async def end() -> None:
            task.cancel()
            await asyncio.gather(task, return_exceptions=True)
            await self._slot.close()

        stack.push_async_callback(end)

    async def _gather(self) -> None:
        while True:
            await self.refresh()
            await asyncio.sleep(EVERY)

    async def refresh(self) -> None:
        """Ask the slot and the store anew, then set the gauges and log a change of state."""
        try:
            self._report = await self._slot.report()
        except SourceUnavailable:
            self._report = None  # the stream's own trouble says it better
        memory = self._pipeline.ports.memory
        try:
            self._tally = await memory.tally()
            self._holds = tuple(await memory.holds())
            self._warned = tuple(await memory.warned(WARNED)) if self._tally.warnings else ()
        except CheckpointsUnwritable:
            self._tally = replace(self._tally)  # the pipeline's own trouble says it better
        facts = self.facts()
        self._metrics.update(facts)
        if facts.state is not self._said:
            self._said = facts.state
            log.info("state", state=facts.state.value, reason=facts.reason or None)

    def facts(self) -> Facts:
        """How things are, with counts at most a second old."""
        now, pipeline = time.time(), self._pipeline
        state, reason = self._judge(now, self._tally)
        position, sweep, pause = pipeline.ports.source.position(), pipeline.sweeper.current, pipeline.gates.pause
        gap = pipeline.progress.noticed
        remaining = max(0, pipeline.sweeper.estimate - sweep.scanned) if sweep is not None else None
        if position is not None and self._report is not None:
            position = replace(position, server_lsn=max(position.server_lsn, self._report.current_lsn))
        return Facts(
            now=now,
            state=state,
            started_at=self._started_at,
            version=__version__,
            reason=reason,
            mapping_fingerprint=self._mapping,
            position=position,
            replication_lag_seconds=self._lag_seconds(now),
            slot_retained_bytes=None if self._report is None else self._report.retained,
            slot_safe_bytes=None if self._report is None else self._report.safe,
            tally=self._tally,
            sweep=sweep,
            sweep_remaining=remaining,
            in_flight=pipeline.gates.in_flight,
            concurrency_limit=pipeline.gates.limit if pause is None else pipeline.gates.capacity(),
            paused_reason=None if pause is None else pause.reason,
            paused_since=None if pause is None else pause.since,
            last_accepted_at=pipeline.deliverer.last_accepted_at,
            reconciled_at=None if pipeline.sweeper.last is None else pipeline.sweeper.last.finished_at,
            verified_through=pipeline.sweeper.verified_through,
            stream_gap=None if gap is None else gap.gap.value,
            stream_gap_at=None if gap is None else gap.at,
            last_reconcile=pipeline.sweeper.last,
            held_orders=self._tally.held,
            holds=self._holds,
            warned=self._warned,
            paused_stores={store or "": one.reason for store, one in pipeline.gates.paused.items()},
            pace=pipeline.gates.pace,
            counts=self._counts(),
        )

    def _judge(self, now: float, tally: Tally) -> tuple[State, str]:
        pipeline = self._pipeline
        pause, sweep = pipeline.gates.pause, pipeline.sweeper.current
        if self.stopping:
            return State.STOPPING, ""
        if not self.started:
            return State.STARTING, ""
        if not pipeline.ports.source.position().connected:
            return State.DISCONNECTED, str(pipeline.source_trouble or "connecting")
        if pipeline.trouble is not None:
            return State.STALLED, str(pipeline.trouble) if self.mapping_problem is None else self.mapping_problem
        if pause is not None:
            words = (pause.message or pause.reason).rstrip(".")
            # With several stores the others may be open.
            stores = ", ".join(pipeline.gates.paused)
            where = f"store {stores}: " if len(pipeline.gates.stores) > 1 else ""
            return State.PAUSED, f"{where}{words} (since {_clock(pause.since)}). {pause.advice}"
        if sweep is not None and sweep.finished_at is None and sweep.kind is SweepKind.BACKFILL:
            return State.BACKFILLING, f"{sweep.scanned} of about {max(pipeline.sweeper.estimate, sweep.scanned)} orders"
        if tally.holds:
            return State.HELD, f"{tally.held} orders of {tally.holds} holds; `redo-connector approve` lets them go"
        if tally.oldest_since is not None and now - tally.oldest_since > LATE_AFTER:
            return State.CATCHING_UP, ""
        return State.STREAMING, ""

    def _lag_seconds(self, now: float) -> float | None:
        """0 when everything that the server has was read, else the age of the newest transaction that was."""
        position = self._pipeline.ports.source.position()
        if self._report is None or not position.connected:
            return None
        newest = self._pipeline.intake.last_commit_time
        if position.received_lsn >= self._report.current_lsn or newest is None:
            return 0.0
        return max(0.0, now - newest)

    def _counts(self) -> Counts:
        settled = self._metrics.settled
        names = ("pushed", "unchanged", "rejected", "invalid", "missing")
        return Counts(*(settled.get(name, 0) for name in names))


def _clock(moment: float) -> str:
    return time.strftime("%H:%M:%S UTC", time.gmtime(moment))
