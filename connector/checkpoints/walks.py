"""The SQL of lookups that wait in the ledger: changed rows whose orders a query has yet to tell.

A lookup may lead to so many orders that it is walked in pages. A change that arrives during the walk starts another
one after it, not instead of it: a row that changes all the time would otherwise never reach its last order.
Functions on a connection, inside the caller's transaction.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Final

import apsw
import orjson

from connector.model.orders import Lookup
from connector.pipeline.ports.entries import Arrival, PendingLookup

_ARRIVE: Final = """
INSERT INTO lookup (route, columns, first_revision, revision, since, latest_since) VALUES (?1, ?2, ?3, ?3, ?4, ?4)
ON CONFLICT (route, columns) DO UPDATE SET
  revision = max(revision, excluded.revision),
  since = min(since, excluded.since),
  latest_since = excluded.latest_since
"""

# A partial index serves each: https://www.sqlite.org/partialindex.html
_OLDEST_UNREAD: Final = """
SELECT route, cursor FROM lookup WHERE cursor IS NULL ORDER BY first_revision, route, columns LIMIT 1
"""
_OLDEST_BEGUN: Final = """
SELECT route, cursor FROM lookup WHERE cursor IS NOT NULL ORDER BY first_revision, route, columns LIMIT 1
"""
_TOGETHER: Final = """
SELECT columns, first_revision, revision, since FROM lookup
WHERE route = ? AND cursor IS ? ORDER BY first_revision, columns LIMIT ?
"""

# ?3 is the revision that was taken: on the first page it becomes the walk's.
_CONTINUE: Final = """
UPDATE lookup SET walk_revision = CASE WHEN cursor IS NULL THEN ?3 ELSE walk_revision END, cursor = ?4
WHERE route = ?1 AND columns = ?2
"""
_FINISH: Final = """
DELETE FROM lookup
WHERE route = ?1 AND columns = ?2 AND revision <= CASE WHEN cursor IS NULL THEN ?3 ELSE walk_revision END
"""
_RESTART: Final = """
UPDATE lookup SET first_revision = 1 + CASE WHEN cursor IS NULL THEN ?3 ELSE walk_revision END,
  since = latest_since, cursor = NULL, walk_revision = NULL
WHERE route = ?1 AND columns = ?2
"""


def arrive(connection: apsw.Connection, arrivals: Iterable[Arrival]) -> None:
    """Add lookups, merging with what waits. Each is of the arrival's own transaction: only `revision` counts."""
    connection.executemany(
        _ARRIVE,
        (
            (lookup.route, _text(lookup), arrival.revision, arrival.since)
            for arrival in arrivals
            for lookup in arrival.lookups
        ),
    )


def oldest(connection: apsw.Connection, limit: int, *, begun: bool) -> list[PendingLookup]:
    """Of those whose walk has begun, or of the others: the one that waits longest, and others of the same route at the
    same cursor."""
    first = connection.execute(_OLDEST_BEGUN if begun else _OLDEST_UNREAD).fetchone()
    if first is None:
        return []
    route, cursor = first
    return [
        PendingLookup(Lookup(route, tuple(orjson.loads(columns))), first_revision, revision, since, cursor)
        for columns, first_revision, revision, since in connection.execute(_TOGETHER, (route, cursor, limit))
    ]


def resolved(connection: apsw.Connection, lookups: Sequence[PendingLookup], cursor: str | None) -> None:
    """Go on after `cursor`, or end the walk: forget what was walked, start again what changed meanwhile."""
    taken = [(pending.lookup.route, _text(pending.lookup), pending.revision) for pending in lookups]
    if cursor is not None:
        connection.executemany(_CONTINUE, ((*bindings, cursor) for bindings in taken))
        return
    connection.executemany(_FINISH, taken)
    connection.executemany(_RESTART, taken)


def _text(lookup: Lookup) -> str:
    return orjson.dumps(lookup.values).decode()
