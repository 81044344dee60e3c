"""Routes of which a lookup failed, though others may not: each is tried again in a time of its own, and none waits for
another's."""

from __future__ import annotations

from dataclasses import dataclass

import structlog

from connector.model.errors import ConnectorError
from connector.pipeline.backoff import pause_after
from connector.pipeline.clock import Clock

log = structlog.get_logger("connector.pipeline")


@dataclass(frozen=True, slots=True)
class _Failure:
    error: ConnectorError
    attempts: int
    until: float


class FailingRoutes:
    """`station`: the name under which they are told."""

    def __init__(self, station: str, clock: Clock) -> None:
        self._station = station
        self._timer = clock.timer
        self._failures: dict[str, _Failure] = {}

    @property
    def waiting(self) -> frozenset[str]:
        """Those that aren't tried yet."""
        now = self._timer()
        return frozenset(route for route, failure in self._failures.items() if failure.until > now)

    @property
    def due_in(self) -> float | None:
        """Seconds until the next one is tried; None when none waits."""
        soonest = min((failure.until for failure in self._failures.values()), default=None)
        return None if soonest is None else max(0.0, soonest - self._timer())

    @property
    def trouble(self) -> ConnectorError | None:
        """Why the one failed that fails for longest."""
        return next((failure.error for failure in self._failures.values()), None)

    def failed(self, route: str, error: ConnectorError, seconds: float) -> None:
        """It took so long to fail."""
        known = self._failures.get(route)
        if known is None:
            table = route.removeprefix("@").rpartition(":")[0]
            log.warning("station_waits", station=self._station, problem=f"for a changed row of {table}: {error}")
        attempts = known.attempts + 1 if known is not None else 0
        self._failures[route] = _Failure(error, attempts, self._timer() + pause_after(error, attempts, seconds))

    def succeeded(self, route: str) -> None:
        self._failures.pop(route, None)

    def hasten(self) -> None:
        """All are tried again now."""
        self._failures = {
            route: _Failure(failure.error, failure.attempts, 0.0) for route, failure in self._failures.items()
        }
