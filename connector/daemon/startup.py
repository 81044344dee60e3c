"""Until the connector runs: what it waits for.

Making the slot may take as long as the longest transaction of the OMS.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Collection, Sequence
from dataclasses import dataclass, replace
from typing import Final

import structlog

from connector import __version__
from connector.checkpoints.leader import Leader
from connector.model.errors import SourceUnavailable
from connector.pipeline.backoff import sleep_unless
from connector.pipeline.intake.progress import since_noted
from connector.postgres.connections import connection
from connector.source.objects.slot import Blocker
from connector.status.facts import Facts, Leading, MappingRefused, Stage, State

log = structlog.get_logger("connector")


AWAY_RETRY: Final = 5.0
"""Seconds between attempts to reach a database that is away as we start."""

_STARTING: Final = "reading the mapping and the database", "wait a moment"
_AWAY: Final = "see that the database runs and the network lets us through; it is tried again by itself"
_WAITS: Final = "the slot can be made once these transactions have ended"


def log_slot_waits(blockers: Sequence[Blocker]) -> None:
    """Which transactions making the slot waits for."""
    log.warning("slot_waits", blockers=[str(blocker) for blocker in blockers], next=_end(blockers))


def _end(blockers: Sequence[Blocker]) -> str:
    calls = ", ".join(f"pg_terminate_backend({blocker.pid})" for blocker in blockers)
    return f"wait, or end {'it' if len(blockers) == 1 else 'them'}: `SELECT {calls}`"


@dataclass(frozen=True, slots=True)
class Readiness:
    """Whether a standby could deliver if it led: as of the facts of these names."""

    oms_away: str = ""
    mapping_refused: MappingRefused | None = None
    mapping_differs: bool = False


class Startup:
    """The facts that the status server shows before a pipeline runs."""

    def __init__(self) -> None:
        self._since = time.time()
        self._state = State.STARTING
        self._leader: Leading | None = None
        self._seen_at: float | None = None
        self._readiness = Readiness()
        self._in_step_at = str(self._since)
        self._reason, self._next = _STARTING

    def slot_waits(self, blockers: Sequence[Blocker]) -> None:
        """Making the slot waits for these."""
        self._reason, self._next = f"{_WAITS}: {'; '.join(map(str, blockers))}", _end(blockers)
        log_slot_waits(blockers)

    def was_in_step(self, noted: str | None) -> None:
        """Up to when the last run knew of every commit, as it noted."""
        self._in_step_at = noted or self._in_step_at

    async def database_answers(self, dsns: Collection[str], stop: asyncio.Event) -> None:
        """Wait until each can be connected to, or `stop` is set."""
        logged = ""
        while not stop.is_set():
            try:
                for dsn in dsns:
                    async with connection(dsn):
                        pass
            except SourceUnavailable as error:
                self._reason, self._next = str(error), f"{_AWAY}, every {AWAY_RETRY:.0f} s"
                if self._reason != logged:
                    logged = self._reason
                    log.warning("source_unavailable", reason=self._reason, next=self._next)
                await sleep_unless(stop, AWAY_RETRY)
            else:
                self._reason, self._next = _STARTING
                return

    def starts(self, in_step: str | None) -> None:
        """It leads, and begins to. `in_step`: as of `was_in_step`, by whoever led before."""
        self.was_in_step(in_step)
        self._state, self._leader = State.STARTING, None
        self._reason, self._next = _STARTING

    def stands_by(self, leader: Leader | None, readiness: Readiness) -> bool:
        """It waits for this one to end, None between two. Whether that is news."""
        self._readiness = readiness
        self._leader = None
        if leader is not None:
            self._leader = Leading(leader.instance, leader.since, leader.term, False, leader.page, self._seen_at)
        self._reason = "nobody leads just now" if leader is None else f"{leader.instance} leads"
        self._next = ""
        return self._becomes(State.STANDBY)

    def stands_back(self, oms_away: str) -> bool:
        """It leaves the lead to others until it reaches the OMS. Whether that is news."""
        news = not self._readiness.oms_away
        self._readiness = replace(self._readiness, oms_away=oms_away)
        self._reason, self._next = "it doesn't wait to lead until it reaches the OMS", "it is tried again by itself"
        return self._becomes(State.STANDBY) or news

    def sees_leader(self) -> None:
        """Another connector leads at the moment."""
        self._seen_at = time.time()
        if self._leader is not None:
            self._leader = replace(self._leader, seen_at=self._seen_at)

    def stalled(self, problem: str) -> bool:
        """It can't tell whether it may lead. Whether that is news."""
        self._reason, self._next = problem, "it is tried again by itself"
        return self._becomes(State.STALLED)

    def _becomes(self, state: State) -> bool:
        before, self._state = self._state, state
        return before is not state

    def facts(self) -> Facts:
        now = time.time()
        # Of one that stands by the leader knows it.
        lag = None if self._state is State.STANDBY else since_noted(self._in_step_at, now)
        found = Facts(now, self._state, self._since, __version__, self._reason, self._next, leader=self._leader)
        stopped_at = Stage.CHECKPOINTS if self._state is State.STALLED else None
        found = replace(found, sync_lag_seconds=lag, stopped_at=stopped_at)
        if self._state is not State.STANDBY:
            return found
        readiness = self._readiness
        return replace(
            found,
            oms_away=readiness.oms_away,
            mapping_refused=readiness.mapping_refused,
            mapping_differs=readiness.mapping_differs,
        )
