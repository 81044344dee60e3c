"""Runs each station's step again and again, with a pause when the OMS, the mapping or the store is at fault.

It must not know what a station does.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable

import structlog

from connector.model.errors import ConnectorError, ReadingVoid
from connector.pipeline.backoff import pause_after, sleep_unless
from connector.pipeline.clock import Clock
from connector.pipeline.dispatch.tasks import PASSING
from connector.pipeline.heartbeat import Heartbeat
from connector.pipeline.holds.vanished_rows import VanishedRows

log = structlog.get_logger("connector.pipeline")


class Supervisor:
    """`troubles`: what stations wait for, by the station's name."""

    def __init__(self, vanished_rows: VanishedRows, clock: Clock) -> None:
        self._vanished_rows = vanished_rows
        self._clock = clock
        self._hastened = asyncio.Event()
        self.troubles: dict[str, ConnectorError] = {}

    async def repeat(self, heartbeat: Heartbeat, step: Callable[[], Awaitable[object]]) -> None:
        """For ever. Raises what no station foresaw."""
        name, attempt = heartbeat.name, 0
        while True:
            heartbeat.beat()
            began = self._clock.timer()
            try:
                await step()
            except PASSING as error:
                if isinstance(error, ReadingVoid):
                    await self._vanished_rows.reading_was_void(error.cause)
                if name not in self.troubles:
                    log.warning("station_waits", station=name, problem=str(error))
                self.troubles[name] = error
                pause = pause_after(error, attempt, self._clock.timer() - began)
                with heartbeat.resting():
                    await sleep_unless(self._hastened, pause)
                attempt += 1
            else:
                self.troubles.pop(name, None)
                attempt = 0

    def hasten(self) -> None:
        """Those that wait try again now."""
        self._hastened.set()
        self._hastened.clear()
