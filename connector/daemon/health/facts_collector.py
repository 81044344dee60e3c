"""Gathers the facts about a running connector, once a second, for metrics, health and the status page.

Between the rooms, like `app`: it reads the pipeline's state and the slot's. What to call the whole is `health`'s.
"""

from __future__ import annotations

import asyncio
import time
from collections import deque
from collections.abc import Awaitable, Callable
from contextlib import AsyncExitStack
from dataclasses import replace

import structlog

from connector import __version__
from connector.daemon.health.health import Finding, Health
from connector.daemon.health.wal_watch import WalWatch
from connector.model.errors import CheckpointsLost, CheckpointsUnwritable, SourceUnavailable
from connector.pipeline.heartbeat import Heartbeat
from connector.pipeline.ports.holds import Hold
from connector.pipeline.ports.records import Endpoint, LetterGroup, Sweep, SweepKind, Warned
from connector.pipeline.run import Pipeline
from connector.source.objects.slot import SlotReport, SlotWatch
from connector.status.facts import NO_TALLY, Counts, Facts, State
from connector.status.history import History
from connector.status.metrics import Metrics

log = structlog.get_logger("connector.daemon.health.facts_collector")

EVERY = 1.0
WARNED = 5
"""Of the latest suspicions, so many are shown."""
GROUPS = 10
"""Of the largest groups of dead letters."""
DELIVERIES = 20
"""Of the latest deliveries."""
SWEEPS = 50
"""Finished sweeps that are looked through for a clean reconcile."""
BY_HAND = "by_hand"
"""The reason of a pause that somebody asked for."""
PATIENCE = 30.0
"""Seconds that the store and the slot may take for an answer, before it is this task that doesn't get on."""


class FactsCollector:
    """`reconnect` is called with a reason when the stream's server no longer hears us."""

    def __init__(
        self,
        pipeline: Pipeline,
        metrics: Metrics,
        slot: SlotWatch,
        mapping_fingerprint: str,
        health: Health,
        wal: WalWatch,
        reconnect: Callable[[str], None],
        history: History,
    ) -> None:
        self._pipeline = pipeline
        self._metrics = metrics
        self._slot = slot
        self._mapping = mapping_fingerprint
        self._health = health
        self._wal = wal
        self._reconnect = reconnect
        self._history = history
        self.heartbeats = [
            Heartbeat("facts collector", "gathering counts"),
            Heartbeat("slot watch", "reading the slot's state"),
        ]
        for heartbeat in self.heartbeats:
            heartbeat.allowance = PATIENCE
        self._started_at = time.time()
        self._report: SlotReport | None = None
        self._tally = NO_TALLY
        self._holds: tuple[Hold, ...] = ()
        self._warned: tuple[Warned, ...] = ()
        self._last: Sweep | None = None
        self._clean: Sweep | None = None
        self._groups: tuple[LetterGroup, ...] = ()
        self._accepted: deque[tuple[float, int]] = deque()
        """How many orders were accepted until when (monotonic), over the last minute."""
        self._said: State | None = None
        self.started = False
        self.stopping = False
        self.mapping_problem: str | None = None
        """Why the mapping, as it is now, can't be loaded; the pipeline may still run an older one."""

    async def start(self, stack: AsyncExitStack) -> None:
        """Gather in the background until the stack closes. Whatever the database does, the counts go on."""
        jobs = zip(self.heartbeats, (self._look_inside, self._look_at_slot), strict=True)
        tasks = [asyncio.create_task(self._repeat(heartbeat, look), name=heartbeat.name) for heartbeat, look in jobs]

        async def end() -> None:
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)

        stack.push_async_callback(end)

    async def _repeat(self, heartbeat: Heartbeat, look: Callable[[], Awaitable[None]]) -> None:
        while True:
            with heartbeat.working():
                await look()
            await asyncio.sleep(EVERY)

    async def _look_at_slot(self) -> None:
        try:
            self._report = await self._slot.report()
        except SourceUnavailable:
            self._report = None  # the stream's own trouble says it better
        now = time.monotonic()
        self._wal.look(now, self._report)
        if self._health.look(self._report, sum(self._metrics.settled.values())):
            self._reconnect("the server takes no note of what it is told")

    async def _look_inside(self) -> None:
        """Ask the store anew, then set the gauges and log a change of state."""
        memory, letters = self._pipeline.ports.store, self._tally.dead_letters
        self._count_accepted(time.monotonic())
        try:
            self._tally = await memory.tally()
            if self._tally.dead_letters != letters:
                self._groups = tuple(await memory.letter_groups())[:GROUPS]
            await self._look_at_sweeps()
            self._holds = tuple(await memory.holds())
            self._warned = tuple(await memory.warned(WARNED)) if self._tally.warnings else ()
        except (CheckpointsUnwritable, CheckpointsLost):
            self._tally = replace(self._tally)  # the pipeline's own trouble says it better
        facts = self.facts()
        self._metrics.update(facts)
        if facts.state is not self._said:
            self._said = facts.state
            log.info("state", state=facts.state.value, reason=facts.reason or None, next=facts.next_step or None)

    async def _look_at_sweeps(self) -> None:
        last = self._pipeline.sweeps.last
        if last is self._last:
            return
        done = await self._pipeline.ports.store.sweeps(SWEEPS)
        comparisons = (sweep for sweep in done if sweep.kind is SweepKind.RECONCILE)
        self._clean = next((one for one in comparisons if not one.missed + one.changed + one.extra), None)
        self._last = last

    def _count_accepted(self, now: float) -> None:
        self._accepted.append((now, self._metrics.settled.get("pushed", 0)))
        while now - self._accepted[0][0] > 60.0:
            self._accepted.popleft()

    def facts(self) -> Facts:
        """How things are, with counts at most a second old."""
        now, pipeline = time.time(), self._pipeline
        finding, wal = self._judge(now), self._wal
        position, sweep, pause = pipeline.ports.source.position(), pipeline.sweeps.current, pipeline.admissions.pause
        hand, gap = pipeline.manual_pause.since, pipeline.progress.noticed
        reason, since = (None, None) if pause is None else (pause.reason, pause.since)
        if hand is not None:
            reason, since = BY_HAND, hand
        capacity = 0 if hand is not None else pipeline.admissions.capacity()
        remaining = max(0, pipeline.sweeps.estimate - sweep.scanned) if sweep is not None else None
        if position is not None and self._report is not None:
            position = replace(position, server_lsn=max(position.server_lsn, self._report.current_lsn))
        return Facts(
            now=now,
            state=finding.state,
            started_at=self._started_at,
            version=__version__,
            reason=finding.reason,
            next_step=finding.next or wal.advice,
            mapping_fingerprint=self._mapping,
            position=position,
            replication_lag_seconds=self._lag_seconds(now),
            slot_retained_bytes=None if self._report is None else self._report.retained,
            slot_safe_bytes=None if self._report is None else self._report.safe,
            wal_budget_bytes=wal.budget,
            slot_limit=wal.outlook.limit,
            slot_limit_left_bytes=wal.outlook.left,
            slot_seconds_to_limit=wal.outlook.seconds,
            wal_warning=wal.warning,
            stalled_parts=tuple(stall.name for stall in self._health.stalled()),
            tally=self._tally,
            sweep=sweep,
            sweep_remaining=remaining,
            in_flight=pipeline.admissions.in_flight,
            concurrency_limit=pipeline.admissions.limit if reason is None else capacity,
            paused_reason=reason,
            paused_since=since,
            last_accepted_at=pipeline.last_accepted_at,
            reconciled_at=None if pipeline.sweeps.last is None else pipeline.sweeps.last.finished_at,
            verified_through=pipeline.sweeps.verified_through,
            stream_gap=None if gap is None else gap.gap.value,
            stream_gap_at=None if gap is None else gap.at,
            last_reconcile=pipeline.sweeps.last,
            last_clean_reconcile=self._clean,
            held_orders=self._tally.held,
            holds=self._holds,
            warned=self._warned,
            paused_stores=self._paused_stores(),
            pace=pipeline.admissions.learned_rate,
            counts=self._counts(),
            accepted_per_minute=self._accepted[-1][1] - self._accepted[0][1] if self._accepted else None,
            dead_letter_groups=self._groups,
            endpoints=self._endpoints(),
            recent_deliveries=self._history.recent(DELIVERIES),
        )

    def _endpoints(self) -> tuple[Endpoint, ...]:
        """With the present count where the count of all is that of the only one."""
        found, accepted = self._pipeline.endpoints.all, self._tally.checkpoints - self._tally.missing
        if sum(one.active for one in found) != 1:
            return found
        return tuple(replace(one, orders=accepted) if one.active else one for one in found)

    def _paused_stores(self) -> dict[str, str]:
        admissions = self._pipeline.admissions
        if self._pipeline.manual_pause.since is not None:
            return dict.fromkeys(admissions.stores, BY_HAND)
        return {store or "": one.reason for store, one in admissions.paused.items()}

    def _judge(self, now: float) -> Finding:
        if self.stopping:
            return Finding(State.STOPPING)
        if not self.started:
            return Finding(State.STARTING)
        return self._health.judge(now, self._tally, self.mapping_problem)

    def _lag_seconds(self, now: float) -> float | None:
        """0 when everything that the server has was read, else the age of the newest transaction that was."""
        position = self._pipeline.ports.source.position()
        if self._report is None or not position.connected:
            return None
        newest = self._pipeline.last_commit_time
        if position.received_lsn >= self._report.current_lsn or newest is None:
            return 0.0
        return max(0.0, now - newest)

    def _counts(self) -> Counts:
        settled = self._metrics.settled
        names = ("pushed", "unchanged", "rejected", "invalid", "missing")
        return Counts(*(settled.get(name, 0) for name in names))
