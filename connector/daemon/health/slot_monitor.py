"""The slot's state, asked for once a second: the last report, the WAL kept for it, and a stream to be reopened."""

from __future__ import annotations

import time
from collections.abc import Callable

from connector.daemon.health.health import Health
from connector.daemon.health.wal_watch import WalWatch
from connector.model.errors import SourceUnavailable
from connector.source.objects.slot import SlotReport, SlotWatch


class SlotMonitor:
    """`reconnect` is called with a reason when the stream's server takes no note of what it is told."""

    def __init__(self, slot: SlotWatch, wal: WalWatch, health: Health, reconnect: Callable[[str], None]) -> None:
        self._slot = slot
        self._health = health
        self._reconnect = reconnect
        self.wal = wal
        self.report: SlotReport | None = None
        """None while the server doesn't answer."""

    async def look(self, settled: int) -> None:
        """`settled`: how many orders were dealt with since the start."""
        try:
            self.report = await self._slot.report()
        except SourceUnavailable:
            self.report = None  # the stream's own error says it better
        self.wal.look(time.monotonic(), self.report)
        if self._health.look(self.report, settled):
            self._reconnect("the server takes no note of what it is told")
