"""The SQL of lookups that wait in the ledger: changed rows whose orders a query has yet to tell.

A lookup may lead to so many orders that it is walked in pages. A change that arrives during the walk starts another
one after it, not instead of it: a row that changes all the time would otherwise never reach its last order.
Functions on a connection, inside the caller's transaction.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any, Final

import orjson
from psycopg import Connection

from connector.checkpoints.postgres.rows import all_rows, execute_rows
from connector.model.orders import Lookup
from connector.pipeline.ports.entries import Arrival, PendingLookup

_ARRIVE: Final = """
INSERT INTO lookup AS waiting (route, columns, first_revision, revision, since, latest_since)
SELECT * FROM unnest(%s::text[], %s::text[], %s::bigint[], %s::bigint[], %s::float8[], %s::float8[])
ON CONFLICT (route, columns) DO UPDATE SET
  revision = greatest(waiting.revision, excluded.revision),
  since = least(waiting.since, excluded.since),
  latest_since = excluded.latest_since
"""

# A partial index serves each.
_OLDEST_UNREAD: Final = """
SELECT route, cursor FROM lookup WHERE cursor IS NULL ORDER BY first_revision, route, columns LIMIT 1
"""
_OLDEST_BEGUN: Final = """
SELECT route, cursor FROM lookup WHERE cursor IS NOT NULL ORDER BY first_revision, route, columns LIMIT 1
"""
_TOGETHER_UNREAD: Final = """
SELECT columns, first_revision, revision, since FROM lookup
WHERE route = %s AND cursor IS NULL ORDER BY first_revision, columns LIMIT %s
"""
_TOGETHER_BEGUN: Final = """
SELECT columns, first_revision, revision, since FROM lookup
WHERE route = %s AND cursor = %s ORDER BY first_revision, columns LIMIT %s
"""

# taken.revision is the revision that was taken: on the first page it becomes the walk's.
_CONTINUE: Final = """
UPDATE lookup SET walk_revision = CASE WHEN cursor IS NULL THEN taken.revision ELSE walk_revision END,
  cursor = taken.onward
FROM unnest(%s::text[], %s::text[], %s::bigint[], %s::text[]) AS taken (route, columns, revision, onward)
WHERE lookup.route = taken.route AND lookup.columns = taken.columns
"""
_FINISH: Final = """
DELETE FROM lookup USING unnest(%s::text[], %s::text[], %s::bigint[]) AS taken (route, columns, revision)
WHERE lookup.route = taken.route AND lookup.columns = taken.columns
  AND lookup.revision <= CASE WHEN cursor IS NULL THEN taken.revision ELSE walk_revision END
"""
_RESTART: Final = """
UPDATE lookup SET first_revision = 1 + CASE WHEN cursor IS NULL THEN taken.revision ELSE walk_revision END,
  since = latest_since, cursor = NULL, walk_revision = NULL
FROM unnest(%s::text[], %s::text[], %s::bigint[]) AS taken (route, columns, revision)
WHERE lookup.route = taken.route AND lookup.columns = taken.columns
"""


def arrive(connection: Connection[Any], arrivals: Iterable[Arrival]) -> None:
    """Add lookups, merging with what waits. Each is of the arrival's own transaction: only `revision` counts."""
    merged: dict[tuple[str, str], tuple[int, int, float, float]] = {}
    for arrival in arrivals:
        new = (arrival.revision, arrival.revision, arrival.since, arrival.since)
        for lookup in arrival.lookups:
            first, latest, since, _ = merged.get((lookup.route, _text(lookup)), new)
            merged[lookup.route, _text(lookup)] = (
                first,
                max(latest, arrival.revision),
                min(since, arrival.since),
                arrival.since,
            )
    execute_rows(connection, _ARRIVE, ((*name, *row) for name, row in sorted(merged.items())))


def oldest(connection: Connection[Any], limit: int, *, begun: bool) -> list[PendingLookup]:
    """Of those whose walk has begun, or of the others: the one that waits longest, and others of the same route at the
    same cursor."""
    first = connection.execute(_OLDEST_BEGUN if begun else _OLDEST_UNREAD).fetchone()
    if first is None:
        return []
    route, cursor = first
    if begun:
        rows = all_rows(connection, _TOGETHER_BEGUN, (route, cursor, limit))
    else:
        rows = all_rows(connection, _TOGETHER_UNREAD, (route, limit))
    return [
        PendingLookup(Lookup(route, tuple(orjson.loads(columns))), first_revision, revision, since, cursor)
        for columns, first_revision, revision, since in rows
    ]


def resolved(connection: Connection[Any], lookups: Sequence[PendingLookup], cursor: str | None) -> None:
    """Go on after `cursor`, or end the walk: forget what was walked, start again what changed meanwhile."""
    taken = [(pending.lookup.route, _text(pending.lookup), pending.revision) for pending in lookups]
    if cursor is not None:
        execute_rows(connection, _CONTINUE, ((*bindings, cursor) for bindings in taken))
        return
    execute_rows(connection, _FINISH, taken)
    execute_rows(connection, _RESTART, taken)


def _text(lookup: Lookup) -> str:
    return orjson.dumps(lookup.values).decode()
