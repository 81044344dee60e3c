"""The SQL of warnings: suspicions about orders that were pushed nevertheless.

Functions on a connection, inside the caller's transaction.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Final

from psycopg import Connection

from connector.checkpoints.postgres.rows import all_rows, execute_rows
from connector.checkpoints.suspicions import KEPT
from connector.model.orders import OrderKey, WarningKind
from connector.pipeline.ports.records import Settlement, Warned

_WARN: Final = """
INSERT INTO warning AS known (key, kind, message, first_seen, last_seen, times)
SELECT key, kind, message, seen, seen, times
FROM unnest(%s::text[], %s::text[], %s::text[], %s::float8[], %s::bigint[]) AS given (key, kind, message, seen, times)
ON CONFLICT (key, kind) DO UPDATE SET message = excluded.message, last_seen = excluded.last_seen,
  times = known.times + excluded.times
"""
_FORGET_OLDEST: Final = """
DELETE FROM warning WHERE (key, kind) IN
  (SELECT key, kind FROM warning ORDER BY last_seen DESC, key DESC, kind DESC OFFSET %s)
"""
_LATEST: Final = """
SELECT key, kind, message, first_seen, last_seen, times FROM warning
ORDER BY last_seen DESC, key DESC, kind DESC LIMIT %s
"""
_COUNTS: Final = "SELECT kind, count(*) FROM warning GROUP BY kind"


def settle(connection: Connection[Any], settlements: Sequence[Settlement], now: float) -> None:
    """Remember what was suspicious."""
    found: dict[tuple[OrderKey, str], tuple[str, int]] = {}
    for one in settlements:
        for suspicion in one.warnings:
            name = (one.entry.key, suspicion.kind.value)
            found[name] = (suspicion.message, found.get(name, ("", 0))[1] + 1)
    if found:
        execute_rows(connection, _WARN, ((*name, message, now, times) for name, (message, times) in found.items()))
        connection.execute(_FORGET_OLDEST, (KEPT,))


def latest(connection: Connection[Any], limit: int) -> list[Warned]:
    """The latest first."""
    return [Warned(key, WarningKind(kind), *rest) for key, kind, *rest in all_rows(connection, _LATEST, (limit,))]


def counts(connection: Connection[Any]) -> Mapping[str, int]:
    """How many orders of each kind."""
    return dict(all_rows(connection, _COUNTS))
