"""Says in time that the slot keeps much WAL on the OMS's disk: how much is left until which limit, and what to do.

It only warns: nothing is cut off, because a slot that is dropped loses changes.
"""

from __future__ import annotations

import time
from collections.abc import Callable

import structlog

from connector.daemon.health.health import Health
from connector.model.errors import SourceUnavailable
from connector.source.objects.slot import SlotReport, SlotWatch
from connector.source.objects.wal_forecast import Forecast, Outlook
from connector.status.facts import duration, size

log = structlog.get_logger("connector.wal")

SOON = 3600.0
"""Seconds until a limit that are worth a warning."""
LITTLE = 0.2
"""Share of a limit that is worth one, however slowly it is used up."""
EVERY = 600.0
"""Seconds between two warnings."""


class WalWatch:
    """`budget` in bytes, None for none."""

    def __init__(self, budget: int | None, forecast: Forecast | None = None) -> None:
        self.budget = budget
        self.outlook = Outlook()
        self.warning = ""
        """A sentence for people while little is left, else empty."""
        self.advice = ""
        self._forecast = forecast or Forecast(budget)
        self._warn_after = 0.0

    def look(self, now: float, report: SlotReport | None) -> None:
        """Judge a report, None when there is none. `now`: seconds of a clock that never goes back."""
        self.outlook = self._forecast.look(now, report)
        self.warning = self.advice = ""
        if report is None or not _pressing(self.outlook):
            return
        self.warning, self.advice = _problem(self.outlook, report), _advice(report)
        if now >= self._warn_after:
            self._warn_after = now + EVERY
            log.warning("wal_budget", problem=self.warning, next=self.advice)


def _pressing(outlook: Outlook) -> bool:
    if outlook.left is None or outlook.whole is None:
        return False
    soon = outlook.seconds is not None and outlook.seconds < SOON
    return soon or outlook.left < LITTLE * outlook.whole


def _problem(outlook: Outlook, report: SlotReport) -> str:
    kept, left = size(report.retained or 0), outlook.left or 0
    if left <= 0:
        return f"the slot keeps {kept} of WAL on the source's disk, {size(-left)} more than {outlook.limit} allows"
    problem = f"the slot keeps {kept} of WAL on the source's disk, {size(left)} are left until {outlook.limit}"
    if outlook.seconds is not None:
        problem += f", which is reached in {duration(outlook.seconds)} at the present pace"
    return problem


def _advice(report: SlotReport) -> str:
    """Who keeps the WAL: we, or a transaction of the OMS that the slot must still be able to decode."""
    unconfirmed = report.current_lsn - (report.confirmed_flush_lsn or 0)
    if report.confirmed_flush_lsn is not None and 2 * unconfirmed < (report.retained or 0):
        return (
            "end the long or prepared transaction of the OMS that keeps the WAL, of which everything was read (`SELECT"
            " pid, xact_start FROM pg_stat_activity WHERE backend_xid IS NOT NULL ORDER BY xact_start`, or"
            " `pg_prepared_xacts`)"
        )
    return "make room on that disk; the WAL is kept because it isn't read yet: `redo-connector status` says why"


class SlotMonitor:
    """Asked once a second: the last report, the WAL kept for the slot, and a stream to be reopened.

    `reconnect` is called with a reason when the stream's server takes no note of what it is told.
    """

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
