"""From settings to bounds: how long what may take, and who watches it. Wiring, like `app`."""

from __future__ import annotations

from connector.daemon.health.health import Bounds, Health
from connector.daemon.health.watchdog import Watchdog
from connector.pipeline.run import Pipeline
from connector.postgres.bounded import GRACE
from connector.postgres.connections import connecting
from connector.settings.config import Settings


def new_watchdog(settings: Settings) -> Watchdog:
    return Watchdog(settings.health.stalled_after, settings.health.exit_after)


def new_health(settings: Settings, pipeline: Pipeline, watchdog: Watchdog | None) -> Health:
    """Without a watchdog (a pipeline that isn't run by `serve`) no part is seen to stall."""
    bounds = Bounds(settings.source.silence_timeout, settings.health.stalled_after)
    if watchdog is None:
        return Health(pipeline, bounds)
    return Health(pipeline, bounds, lambda: watchdog.stalled, watchdog.advice)


def longest_read(settings: Settings) -> float:
    """Seconds: waiting for one of the connections, opening it, and one query."""
    source = settings.source
    return connecting(source.silence_timeout) + 2 * (source.statement_timeout + grace(settings))


def longest_push(settings: Settings) -> float:
    """Seconds: one request, and its turn at the pace that the settings allow."""
    rate = settings.redo.requests_per_second
    return 2 * settings.redo.timeout + (0.0 if rate is None else 1 / rate)


def grace(settings: Settings) -> float:
    """Seconds that the server has for an answer after its own time limit."""
    return min(GRACE, settings.source.silence_timeout)
