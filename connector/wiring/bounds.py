"""Time limits from settings: of a read, of a push, of a look at one order."""

from __future__ import annotations

from typing import Final

from connector.postgres.bounded import GRACE
from connector.postgres.dsn import connect_timeout
from connector.settings.config import Settings

LONGEST_LOOK_MS: Final = 5_000
"""Of the statement that reads an order for a person: a page must not hurt the OMS."""


def longest_read(settings: Settings) -> float:
    """Seconds: waiting for one of the connections, opening it, and one query."""
    source = settings.source
    return connect_timeout(source.silence_timeout) + 2 * (source.statement_timeout + grace(settings))


def longest_push(settings: Settings) -> float:
    """Seconds: one request, and its turn at the pace that the settings allow."""
    rate = settings.redo.requests_per_second
    return 2 * settings.redo.timeout + (0.0 if rate is None else 1 / rate)


def grace(settings: Settings) -> float:
    """Seconds that the server has for an answer after its own time limit."""
    return min(GRACE, settings.source.silence_timeout)
