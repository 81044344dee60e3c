"""Waits, warm, until no other connector leads."""

from __future__ import annotations

import asyncio
import math
import time
from typing import Final

import structlog

from connector.checkpoints.leader import LEADER_NOTE, Candidate, Leader, read_leader
from connector.checkpoints.opening import candidate
from connector.daemon.leadership.term import Term, take, what_is_served
from connector.daemon.leadership.warm_mapping import WarmMapping
from connector.daemon.startup import Readiness, Startup
from connector.model.errors import CheckpointsUnwritable
from connector.pipeline.backoff import sleep_unless
from connector.pipeline.start import MAPPING_NOTE
from connector.settings.config import Settings
from connector.wiring import factories

log = structlog.get_logger("connector.leader")

EVERY: Final = 0.25
"""Seconds between two attempts to lead: one statement each, which finds the lock taken."""
_LEADER_EVERY: Final = 2.0
"""Seconds between two looks at who leads."""
_MAPPINGS_MAY_DIFFER: Final = 60.0
"""Seconds that a changed mapping may take from one connector's file to the other's."""
AWAY_RETRY: Final = 1.0
"""Seconds between attempts to reach a checkpoint database that is away."""
HESITATE: Final = 5.0
"""Seconds in which a connector that stepped down lets others lead."""


class Standby:
    """Shows on the page what it waits for."""

    def __init__(self, settings: Settings, startup: Startup, stop: asyncio.Event) -> None:
        self._settings = settings
        self._startup = startup
        self._stop = stop
        self._told: Leader | None = None
        self._look_next = 0.0
        self._differs_since: float | None = None
        self.waited = False
        """Another one led before this term, or this one did before."""

    async def lead(self, mapping: WarmMapping, *, hesitates: bool = False) -> Term | None:
        """The term that begins once no other connector leads; None when `stop` was set before. `hesitates`: it stepped
        down just now. Raises ConfigurationError for a store that won't do, CheckpointsUnwritable for one that couldn't
        be reached ever."""
        settings = self._settings
        waiting = candidate(factories.checkpoints(settings), settings.daemon.silence_timeout)
        if waiting is None:
            return await take(settings)
        watch = asyncio.create_task(mapping.keep(), name="standby's mapping")
        try:
            others_first = time.monotonic() + (HESITATE if hesitates else 0.0)
            while not self._stop.is_set():
                if mapping.away:
                    await self._stand_back(waiting, mapping.away)
                elif not await self._take(waiting, mapping):
                    others_first = 0.0  # one of them leads
                elif time.monotonic() < others_first:
                    await asyncio.to_thread(waiting.close)
                else:
                    store = await asyncio.to_thread(waiting.open_store, factories.payload_vault(settings))
                    return await Term.begin(settings, store)
                await sleep_unless(self._stop, EVERY)
        finally:
            watch.cancel()
            await asyncio.gather(watch, return_exceptions=True)
            await asyncio.to_thread(waiting.close)
        return None

    async def _take(self, waiting: Candidate, mapping: WarmMapping) -> bool:
        try:
            if await asyncio.to_thread(waiting.take):
                return True
            self.waited = True
            self._startup.sees_leader()
            if time.monotonic() >= self._look_next:
                await self._show(waiting, mapping)
        except CheckpointsUnwritable as error:
            if not self.waited:
                raise
            if self._startup.stalled(str(error)):
                log.warning("checkpoints_unreachable", problem=str(error), next="it is tried again by itself")
            await sleep_unless(self._stop, AWAY_RETRY)
        return False

    async def _stand_back(self, waiting: Candidate, problem: str) -> None:
        """One that couldn't read an order would keep the lock from one that can."""
        await asyncio.to_thread(waiting.close)
        self.waited, self._look_next = True, 0.0
        if self._startup.stands_back(problem):
            log.warning("standby_source_unavailable", problem=problem, next="it waits to lead once it reaches the OMS")

    async def _show(self, waiting: Candidate, mapping: WarmMapping) -> None:
        self._look_next = time.monotonic() + _LEADER_EVERY
        leader = read_leader(await asyncio.to_thread(waiting.noted, LEADER_NOTE))
        if leader is not None and leader.left:
            leader = None  # between two terms
        await self._compare_mappings(waiting, mapping)
        self._compare_settings(leader)
        readiness = Readiness("", mapping.refused, self._differs_since == math.inf)
        if self._startup.stands_by(leader, readiness) or leader != self._told:
            name, since = (None, None) if leader is None else (leader.instance, leader.since)
            log.info("standby", leader=name, since=since, next="it takes over once that one ends or is cut off")
        self._told = leader

    def _compare_settings(self, leader: Leader | None) -> None:
        ours = what_is_served(self._settings)
        if leader is not None and leader != self._told and leader.serves not in ("", ours):
            step = "give both the same settings: a takeover would deliver from and to where this one's say"
            log.warning("standby_settings_differ", leader=leader.serves, here=ours, next=step)

    async def _compare_mappings(self, waiting: Candidate, mapping: WarmMapping) -> None:
        """A standby with an older mapping would take every order back to what that says."""
        theirs, ours = await asyncio.to_thread(waiting.noted, MAPPING_NOTE), mapping.fingerprint
        if theirs is None or ours is None or theirs == ours:
            self._differs_since = None
            return
        now = time.monotonic()
        if self._differs_since is None:
            self._differs_since = now
        elif now - self._differs_since > _MAPPINGS_MAY_DIFFER:
            self._differs_since = math.inf  # told once
            step = "give both the same mapping.sql: at a takeover every order would be compared with this one's"
            log.warning("standby_mapping_differs", next=step)
