"""The SQL of warnings: suspicions about orders that were pushed nevertheless.

Functions on a connection, inside the caller's transaction.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Final

import apsw

from connector.model.orders import WarningKind
from connector.pipeline.ports.records import Settlement, Warned

KEPT: Final = 10_000
"""The latest so many are remembered."""

_WARN: Final = """
INSERT INTO warning (key, kind, message, first_seen, last_seen, times) VALUES (?1, ?2, ?3, ?4, ?4, 1)
ON CONFLICT (key, kind) DO UPDATE SET message = excluded.message, last_seen = excluded.last_seen, times = times + 1
"""
_FORGET_OLDEST: Final = """
DELETE FROM warning WHERE (key, kind) IN
  (SELECT key, kind FROM warning ORDER BY last_seen DESC, key DESC, kind DESC LIMIT -1 OFFSET ?)
"""
_LATEST: Final = """
SELECT key, kind, message, first_seen, last_seen, times FROM warning
ORDER BY last_seen DESC, key DESC, kind DESC LIMIT ?
"""
_COUNTS: Final = "SELECT kind, count(*) FROM warning GROUP BY kind"


def settle(connection: apsw.Connection, settlements: Sequence[Settlement], now: float) -> None:
    """Remember what was suspicious."""
    rows = [(s.entry.key, found.kind.value, found.message, now) for s in settlements for found in s.warnings]
    if rows:
        connection.executemany(_WARN, rows)
        connection.execute(_FORGET_OLDEST, (KEPT,))


def latest(connection: apsw.Connection, limit: int) -> list[Warned]:
    """The latest first."""
    rows = connection.execute(_LATEST, (limit,))
    return [Warned(key, WarningKind(kind), *rest) for key, kind, *rest in rows]


def counts(connection: apsw.Connection) -> Mapping[str, int]:
    """How many orders of each kind."""
    return dict(connection.execute(_COUNTS))
