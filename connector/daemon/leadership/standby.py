"""Waits, warm, until no other connector leads."""

from __future__ import annotations

import asyncio
import time
from typing import Final

import structlog

from connector.checkpoints.leader import Candidate, Leader
from connector.checkpoints.opening import candidate
from connector.daemon.leadership.term import Term, take
from connector.daemon.leadership.warm_mapping import WarmMapping
from connector.daemon.startup import Startup
from connector.model.errors import CheckpointsUnwritable
from connector.pipeline.backoff import sleep_unless
from connector.settings.config import Settings
from connector.wiring import factories

log = structlog.get_logger("connector.leader")

EVERY: Final = 0.25
"""Seconds between two attempts to lead: one statement each, which finds the lock taken."""
_LEADER_EVERY: Final = 2.0
"""Seconds between two looks at who leads."""
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
        self.waited = False
        """Another one led before this term."""

    async def lead(self, mapping: WarmMapping, *, hesitates: bool = False) -> Term | None:
        """The term that begins once no other connector leads; None when `stop` was set before. `hesitates`: it stepped
        down just now. Raises ConfigurationError for a store that won't do, CheckpointsUnwritable for one that couldn't
        be reached ever."""
        self.waited = hesitates
        settings = self._settings
        waiting = candidate(factories.checkpoints(settings), settings.daemon.silence_timeout)
        if waiting is None:
            return await take(settings)
        watch = asyncio.create_task(mapping.keep(), name="standby's mapping")
        try:
            if hesitates:
                await self._show(waiting)
                await sleep_unless(self._stop, HESITATE)
            while not self._stop.is_set():
                if await self._take(waiting):
                    store = await asyncio.to_thread(waiting.open_store, factories.payload_vault(settings))
                    return await Term.begin(settings, store)
                await sleep_unless(self._stop, EVERY)
        finally:
            watch.cancel()
            await asyncio.gather(watch, return_exceptions=True)
            await asyncio.to_thread(waiting.close)
        return None

    async def _take(self, waiting: Candidate) -> bool:
        try:
            if await asyncio.to_thread(waiting.take):
                return True
            self.waited = True
            if time.monotonic() >= self._look_next:
                await self._show(waiting)
        except CheckpointsUnwritable as error:
            if not self.waited:
                raise
            if self._startup.stalled(str(error)):
                log.warning("checkpoints_unreachable", problem=str(error), next="it is tried again by itself")
            await sleep_unless(self._stop, AWAY_RETRY)
        return False

    async def _show(self, waiting: Candidate) -> None:
        self._look_next = time.monotonic() + _LEADER_EVERY
        leader = await asyncio.to_thread(waiting.leader)
        if leader is not None and leader.left:
            leader = None  # between two terms
        if self._startup.stands_by(leader) or leader != self._told:
            name, since = (None, None) if leader is None else (leader.instance, leader.since)
            log.info("standby", leader=name, since=since, next="it takes over once that one ends or is cut off")
        self._told = leader
