"""Keeps the source's stream read: connects again when it is cut off, and has a lost slot made anew.

It must not know what is done with a transaction.
"""

from __future__ import annotations

import asyncio

import structlog

from connector.model.errors import ConfigurationError, ConnectorError, SlotLost, SourceUnavailable
from connector.pipeline.backoff import RECONNECT, sleep_unless, unless_stopped
from connector.pipeline.clock import Clock
from connector.pipeline.intake.intake import Intake
from connector.pipeline.intake.progress import Gap, Progress
from connector.pipeline.ports.protocols import Slot

log = structlog.get_logger("connector.pipeline")


class StreamFollower:
    """`trouble`: why the stream was cut off last."""

    def __init__(self, intake: Intake, slot: Slot, progress: Progress, clock: Clock) -> None:
        self._intake = intake
        self._slot = slot
        self._progress = progress
        self._clock = clock
        self.trouble: ConnectorError | None = None

    async def follow(self, stop: asyncio.Event) -> None:
        """Until `stop` is set."""
        attempt = 0
        while not stop.is_set():
            started = self._clock.timer()
            try:
                await self._intake.follow(stop)
            except SlotLost as error:
                attempt += 1
                await self._renew(error, stop)
                await sleep_unless(stop, RECONNECT.delay(attempt))
            except (SourceUnavailable, ConfigurationError) as error:
                attempt = 0 if self._clock.timer() - started > RECONNECT.cap else attempt + 1
                self.trouble = error
                hint = error.hint if isinstance(error, SourceUnavailable) else ""
                log.warning("stream_lost", problem=str(error), next=hint or None)
                await sleep_unless(stop, RECONNECT.delay(attempt))

    async def _renew(self, lost: SlotLost, stop: asyncio.Event) -> None:
        """Have the slot made anew; what the stream lacks then is found by a sweep. Raises ConfigurationError when the
        operator wants a person to look first."""
        self.trouble = lost
        self._progress.lost(Gap(f"slot_{lost.reason}"))
        log.error("slot_lost", problem=str(lost), next="a new slot is made, then every order is compared")
        try:
            # The server makes a slot only once the transactions that run now have ended.
            await unless_stopped(stop, self._slot.renew(lost))
        except SourceUnavailable as error:
            self.trouble = error
            log.warning("slot_not_renewed", problem=str(error))
