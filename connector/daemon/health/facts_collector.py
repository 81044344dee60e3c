"""Gathers the facts about a running connector, once a second, for metrics, health and the status page.

Reads the pipeline's state, the store's counts and the slot's report; `health` says which state they amount to.
"""

from __future__ import annotations

import asyncio
import time
from collections import deque
from collections.abc import Awaitable, Callable, Sequence
from contextlib import AsyncExitStack
from dataclasses import replace

import structlog

from connector import __version__
from connector.daemon.health.health import LATE_AFTER, Finding, Health
from connector.daemon.health.store_snapshot import StoreSnapshot
from connector.daemon.health.sync_lag import SyncLag
from connector.daemon.health.wal_watch import SlotMonitor
from connector.model.changes import TableName
from connector.model.errors import Problem
from connector.pipeline.heartbeat import Heartbeat
from connector.pipeline.ports.records import Endpoint, Tally
from connector.pipeline.run import Pipeline
from connector.status.facts import Counts, Facts, Leading, MappingRefused, State
from connector.status.headline import BY_HAND
from connector.status.history import History
from connector.status.metrics import Metrics

log = structlog.get_logger("connector.vitals")

EVERY = 1.0
DELIVERIES = 20
"""Of the latest deliveries, so many are shown."""
PATIENCE = 30.0
"""Seconds that the store and the slot may take for an answer, before it is this task that doesn't get on."""


class FactsCollector:
    def __init__(
        self, pipeline: Pipeline, metrics: Metrics, history: History, health: Health, slot: SlotMonitor
    ) -> None:
        self._pipeline = pipeline
        self._metrics = metrics
        self._history = history
        self._health = health
        self._slot = slot
        self._store = StoreSnapshot(pipeline)
        self._sync_lag = SyncLag(pipeline)
        self.heartbeats = [
            Heartbeat("vitals", "gathering counts"),
            Heartbeat("slot watch", "reading the slot's state"),
        ]
        for heartbeat in self.heartbeats:
            heartbeat.allowance = PATIENCE
        self._clock = pipeline.clock
        self._started_at = self._clock.now()
        self._accepted: deque[tuple[float, int]] = deque()
        """How many orders were accepted until when (monotonic), over the last minute."""
        self._logged: State | None = None
        self.leading: Callable[[], Leading | None] = lambda: None
        self.started = False
        self.stopping = False
        self._mapping_refused: MappingRefused | None = None
        self.failing_tables: Callable[[], Sequence[TableName]] = tuple
        """Tables of the OMS whose own UPDATEs and DELETEs fail because of a publication."""

    def mapping_is(self, refused_for: Sequence[Problem]) -> None:
        """Why the mapping, as it is now, can't be taken up, nothing when it can; the pipeline may run an older one."""
        self._mapping_refused = MappingRefused.because(refused_for, self._mapping_refused, self._clock.wall())

    async def start(self, stack: AsyncExitStack) -> None:
        """Gather in the background until the stack closes. Whatever the database does, the counts go on."""
        await self._sync_lag.load()
        jobs = zip(self.heartbeats, (self._gather, self._look_at_slot), strict=True)
        tasks = [asyncio.create_task(self._repeat(heartbeat, look), name=heartbeat.name) for heartbeat, look in jobs]

        async def end() -> None:
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)
            await self._sync_lag.save(every=0.0)

        stack.push_async_callback(end)

    async def _repeat(self, heartbeat: Heartbeat, look: Callable[[], Awaitable[None]]) -> None:
        while True:
            with heartbeat.working():
                await look()
            await asyncio.sleep(EVERY)

    async def _look_at_slot(self) -> None:
        asked_at = self._clock.now()
        await self._slot.look(sum(self._metrics.settled.values()))
        self._sync_lag.look(asked_at, self._slot.report)

    async def _gather(self) -> None:
        """Ask the store anew, then set the gauges and log a change of state."""
        self._count_accepted(time.monotonic())
        lacks_after = self._sync_lag.counting()
        await self._store.refresh()
        if self._store.readable:
            self._sync_lag.counted(lacks_after)
        await self._sync_lag.save()
        facts = self.facts()
        self._metrics.update(facts)
        if facts.state is not self._logged:
            self._logged = facts.state
            log.info("state", state=facts.state.value, reason=facts.reason or None, next=facts.next_step or None)

    def _count_accepted(self, now: float) -> None:
        self._accepted.append((now, self._metrics.settled.get("pushed", 0)))
        while now - self._accepted[0][0] > 60.0:
            self._accepted.popleft()

    def facts(self) -> Facts:
        """How things are, with counts at most a second old."""
        now = self._clock.wall()
        finding = self._judge(now)
        facts = Facts(
            now=now,
            state=finding.state,
            started_at=self._clock.by_the_wall(self._started_at),
            version=__version__,
            reason=finding.reason,
            next_step=finding.next or self._slot.wal.advice,
            stopped_at=finding.stopped_at,
            leader=self.leading(),
            mapping_fingerprint=self._pipeline.ports.assembler.fingerprint,
            mapping_refused=self._mapping_refused,
            failing_tables=tuple(str(table) for table in self.failing_tables()),
            stalled_parts=tuple(stall.name for stall in self._health.stalled()),
        )
        for add in (self._with_source, self._with_store, self._with_sweeps, self._with_delivery):
            facts = add(facts)
        return facts

    def _judge(self, now: float) -> Finding:
        if self.stopping:
            return Finding(State.STOPPING)
        if not self.started:
            return Finding(State.STARTING)
        finding, lag = self._health.judge(now, self._tally(), self._mapping_refused), self._lag
        late = lag is not None and lag > LATE_AFTER
        return Finding(State.CATCHING_UP) if late and finding.state is State.STREAMING else finding

    @property
    def _lag(self) -> float | None:
        return self._sync_lag.seconds(self._store.tally.oldest_since)

    def _tally(self) -> Tally:
        """With the time by the wall's clock."""
        tally, oldest = self._store.tally, self._store.tally.oldest_since
        return tally if oldest is None else replace(tally, oldest_since=self._clock.by_the_wall(oldest))

    def _with_source(self, facts: Facts) -> Facts:
        """The stream, and the WAL that the slot keeps."""
        position, report, wal = self._pipeline.ports.source.position(), self._slot.report, self._slot.wal
        if position is not None and report is not None:
            position = replace(position, server_lsn=max(position.server_lsn, report.current_lsn))
        gap = self._pipeline.progress.noticed
        return replace(
            facts,
            position=position,
            replication_lag_seconds=self._sync_lag.stream_behind,
            slot_retained_bytes=None if report is None else report.retained,
            slot_safe_bytes=None if report is None else report.safe,
            wal_budget_bytes=wal.budget,
            slot_limit=wal.outlook.limit,
            slot_limit_left_bytes=wal.outlook.left,
            slot_seconds_to_limit=wal.outlook.seconds,
            wal_warning=wal.warning,
            wal_advice=wal.advice,
            stream_gap=None if gap is None else gap.gap.value,
            stream_gap_at=None if gap is None else gap.at,
        )

    def _with_store(self, facts: Facts) -> Facts:
        """What waits, what was refused, what is held."""
        store = self._store
        return replace(
            facts,
            sync_lag_seconds=self._lag,
            counted=store.readable,
            tally=self._tally(),
            held_orders=store.tally.held,
            holds=store.holds,
            warned=store.warned,
            dead_letter_groups=store.groups,
            endpoints=self._endpoints(),
        )

    def _with_sweeps(self, facts: Facts) -> Facts:
        sweeps = self._pipeline.sweeps
        sweep, orders = sweeps.current, sweeps.estimate
        return replace(
            facts,
            sweep=sweep,
            sweep_remaining=None if sweep is None or orders is None else max(0, orders - sweep.scanned),
            last_reconcile=sweeps.last,
            last_clean_reconcile=self._store.clean_reconcile,
            reconciled_at=None if sweeps.last is None else sweeps.last.finished_at,
            verified_through=sweeps.verified_through,
        )

    def _with_delivery(self, facts: Facts) -> Facts:
        """What goes to Redo, or why it doesn't."""
        admissions, by_hand = self._pipeline.admissions, self._pipeline.manual_pause.since
        pause = admissions.pause
        reason = since = until = None
        if pause is not None:
            reason, since, until = (
                pause.reason,
                self._clock.by_the_wall(pause.since),
                self._clock.by_the_wall(pause.until),
            )
        limit = admissions.limit if reason is None else admissions.capacity()
        paused = {store or "": one.reason for store, one in admissions.paused.items()}
        if by_hand is not None:
            reason, since, until, limit = BY_HAND, by_hand, None, 0
            paused = dict.fromkeys(admissions.stores, BY_HAND)
        return replace(
            facts,
            in_flight=admissions.in_flight,
            concurrency_limit=limit,
            paused_reason=reason,
            paused_since=since,
            paused_until=until,
            paused_stores=paused,
            pace=admissions.learned_rate,
            last_accepted_at=self._pipeline.last_accepted_at,
            counts=self._counts(),
            accepted_per_minute=self._accepted[-1][1] - self._accepted[0][1] if self._accepted else None,
            recent_deliveries=self._history.recent(DELIVERIES),
        )

    def _endpoints(self) -> tuple[Endpoint, ...]:
        """With the present count where the count of all is that of the only one."""
        found, tally = self._pipeline.endpoints.all, self._store.tally
        if sum(one.active for one in found) != 1:
            return found
        return tuple(replace(one, orders=tally.checkpoints - tally.missing) if one.active else one for one in found)

    def _counts(self) -> Counts:
        settled = self._metrics.settled
        names = ("pushed", "unchanged", "rejected", "invalid", "missing")
        return Counts(*(settled.get(name, 0) for name in names))
