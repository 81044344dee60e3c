"""The ledger's SQL: which orders wait to be looked at, and in what order. The mirror of the SQLite store's.

Functions on a connection, inside the caller's transaction. They must not know lookups, sweeps or checkpoints.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any, Final

from psycopg import Connection

from connector.checkpoints.ledger import AT_ONCE, MOST_ATTEMPTS
from connector.checkpoints.postgres.rows import all_rows, execute_rows
from connector.model.orders import OrderKey
from connector.pipeline.ports.entries import Arrival, Entry, Lane
from connector.pipeline.ports.records import Settlement

# A key that arrives twice is merged first: one statement can't touch a row twice. `least` and `greatest` pass over
# NULL. What failed is tried at once when it changes. It is never at due = 0, so that it is found without a walk over
# all that waits.
_ARRIVE: Final = f"""
INSERT INTO ledger AS waiting (key, first_revision, revision, since, lane, confirm, approved)
SELECT key, min(first_revision), max(revision), min(since), min(lane), bool_or(confirm), bool_or(approved)
FROM unnest(%s::text[], %s::bigint[], %s::bigint[], %s::float8[], %s::smallint[], %s::boolean[], %s::boolean[])
  AS arriving (key, first_revision, revision, since, lane, confirm, approved)
GROUP BY key ORDER BY key COLLATE "C"
ON CONFLICT (key) DO UPDATE SET
  first_revision = least(waiting.first_revision, excluded.first_revision),
  revision = greatest(waiting.revision, excluded.revision),
  since = least(waiting.since, excluded.since),
  lane = least(waiting.lane, excluded.lane),
  due = CASE WHEN waiting.attempts > 0 THEN greatest({AT_ONCE}, least(waiting.due, excluded.since)) ELSE 0 END,
  confirm = waiting.confirm OR excluded.confirm,
  approved = waiting.approved OR excluded.approved,
  newer_first = CASE WHEN waiting.in_flight THEN least(waiting.newer_first, excluded.first_revision) END,
  newer_since = CASE WHEN waiting.in_flight THEN least(waiting.newer_since, excluded.since) END,
  newer_confirm = waiting.in_flight AND (waiting.newer_confirm OR excluded.confirm),
  newer_approved = waiting.in_flight AND (waiting.newer_approved OR excluded.approved)
"""  # noqa: S608 (a number of ours)

# Two walks along an index for each lane, each as long as its limit whatever waits behind.
_DUE: Final = """
SELECT found.* FROM unnest(%(lanes)s::smallint[]) AS wanted (lane) CROSS JOIN LATERAL (
  (SELECT key, first_revision, revision, since, ledger.lane, attempts, confirm, late_until, approved FROM ledger
   WHERE ledger.lane = wanted.lane AND due = 0 ORDER BY revision LIMIT %(page)s)
  UNION ALL
  (SELECT key, first_revision, revision, since, ledger.lane, attempts, confirm, late_until, approved FROM ledger
   WHERE ledger.lane = wanted.lane AND due > 0 AND due <= %(now)s AND attempts = 0 ORDER BY due LIMIT %(page)s)
) AS found
"""
_FAILING: Final = """
SELECT key, first_revision, revision, since, lane, attempts, confirm, late_until, approved FROM ledger
WHERE lane = ANY(%(lanes)s) AND due > 0 AND due <= %(now)s AND attempts > 0 ORDER BY due LIMIT %(page)s
"""
_MARK: Final = """
UPDATE ledger SET in_flight = true, newer_first = NULL, newer_since = NULL, newer_confirm = false,
  newer_approved = false
WHERE key = ANY(%s)
"""

# What arrived in flight ends the wait, and must not wait for a late request to be over.
_AGAIN: Final = f"""
UPDATE ledger SET
  due = CASE WHEN later.attempts > 0 THEN greatest({AT_ONCE}, least(later.due, newer_since))
    WHEN newer_first IS NULL THEN later.due ELSE 0 END,
  attempts = later.attempts,
  confirm = later.confirm OR newer_confirm,
  late_until = later.late_until,
  approved = later.approved OR newer_approved,
  since = CASE WHEN later.since IS NULL THEN ledger.since ELSE least(later.since, newer_since) END,
  in_flight = false, newer_first = NULL, newer_since = NULL, newer_confirm = false, newer_approved = false
FROM unnest(%s::text[], %s::float8[], %s::integer[], %s::boolean[], %s::float8[], %s::boolean[], %s::float8[])
  AS later (key, due, attempts, confirm, late_until, approved, since)
WHERE ledger.key = later.key
"""  # noqa: S608 (a number of ours)
_LEAVE: Final = """
DELETE FROM ledger USING unnest(%s::text[], %s::bigint[]) AS done (key, revision)
WHERE ledger.key = done.key AND ledger.revision <= done.revision AND newer_first IS NULL
"""
# late_until stays: a request that may land late is none the less late for what arrived anew.
_STAY: Final = """
UPDATE ledger SET first_revision = coalesce(newer_first, done.revision + 1), since = coalesce(newer_since, since),
  due = 0, attempts = 0, confirm = newer_confirm, approved = newer_approved, in_flight = false, newer_first = NULL,
  newer_since = NULL, newer_confirm = false, newer_approved = false
FROM unnest(%s::text[], %s::bigint[]) AS done (key, revision)
WHERE ledger.key = done.key AND (ledger.revision > done.revision OR newer_first IS NOT NULL)
"""

_EARLIEST: Final = """
SELECT first.lane, first.key, first.due FROM unnest(%s::smallint[]) AS every (lane) CROSS JOIN LATERAL (
  SELECT ledger.lane, key, due FROM ledger WHERE ledger.lane = every.lane AND attempts = 0
  ORDER BY due, revision LIMIT %s
) AS first ORDER BY first.due
"""
_EARLIEST_FAILING: Final = """
SELECT lane, key, due FROM ledger WHERE lane = ANY(%s) AND due > 0 AND attempts > 0 ORDER BY due LIMIT %s
"""

# An entry with no attempt that is due exactly when nothing can land late any more isn't backing off: it waits for that
# moment, whether Redo answers or not.
_HASTEN: Final = f"""
UPDATE ledger SET due = CASE WHEN attempts > 0 THEN {AT_ONCE} ELSE 0 END WHERE key IN (
  SELECT key FROM ledger
  WHERE lane = ANY(%s) AND due > 0
    AND CASE WHEN attempts > 0 THEN due > {AT_ONCE} AND attempts <= %s ELSE due IS DISTINCT FROM late_until END
  LIMIT %s)
"""  # noqa: S608 (a number of ours)
_CONFIRM: Final = """
UPDATE ledger SET confirm = true, late_until = greatest(late_until, %s::float8), in_flight = false,
  newer_first = NULL, newer_since = NULL, newer_confirm = false, newer_approved = false
WHERE in_flight
"""
_DOUBT: Final = """
UPDATE ledger SET confirm = true, late_until = greatest(late_until, %s::float8) WHERE in_flight
"""

_LANES: Final = [int(lane) for lane in Lane]


def arrive(connection: Connection[Any], arrivals: Iterable[Arrival]) -> None:
    """Add keys, merging with what waits."""
    execute_rows(
        connection,
        _ARRIVE,
        (_row(arrival, key, arrival.since, arrival.confirm) for arrival in arrivals for key in arrival.keys),
    )


def put_back(connection: Connection[Any], arrival: Arrival, rows: Iterable[tuple[OrderKey, float, bool]]) -> None:
    """Add orders that were kept elsewhere, as the arrival says, but each with its own `since` and `confirm`."""
    execute_rows(
        connection, _ARRIVE, (_row(arrival, key, since, arrival.confirm or confirm) for key, since, confirm in rows)
    )


def _row(
    arrival: Arrival, key: OrderKey, since: float, confirm: bool
) -> tuple[OrderKey, int, int, float, int, bool, bool]:
    first = arrival.revision if arrival.first_revision is None else arrival.first_revision
    return key, first, arrival.revision, since, int(arrival.lane), confirm, arrival.approved


def due(
    connection: Connection[Any], limit: int, now: float, busy: frozenset[OrderKey], lanes: Sequence[Lane]
) -> list[Entry]:
    """The next entries that haven't failed: by lane, then by revision. Of more than `limit` whose delay is over, those
    due earliest."""
    asked = {"lanes": sorted({int(lane) for lane in lanes}), "page": limit + len(busy), "now": now}
    found = map(_entry, connection.execute(_DUE, asked))
    free = (entry for entry in found if entry.key not in busy)
    return sorted(free, key=lambda entry: (entry.lane, entry.revision, entry.key))[:limit]


def failing(
    connection: Connection[Any], limit: int, now: float, busy: frozenset[OrderKey], lanes: Sequence[Lane]
) -> list[Entry]:
    """The next entries that failed, those due earliest first, so that each has its turn."""
    asked = {"lanes": [int(lane) for lane in lanes], "page": limit + len(busy), "now": now}
    found = map(_entry, connection.execute(_FAILING, asked))
    return [entry for entry in found if entry.key not in busy][:limit]


def _entry(row: tuple[Any, ...]) -> Entry:
    key, first_revision, revision, since, lane, *rest = row
    return Entry(key, first_revision, revision, since, Lane(lane), *rest)


def mark(connection: Connection[Any], entries: Sequence[Entry]) -> None:
    """From now on a request may be on its way for these."""
    if entries:
        connection.execute(_MARK, ([entry.key for entry in entries],))


def settle(connection: Connection[Any], settlements: Sequence[Settlement]) -> None:
    """Take entries out, leave their newer part, or put them back for later."""
    done = [(one.entry.key, one.entry.revision) for one in settlements if one.again is None]
    execute_rows(connection, _LEAVE, done)
    execute_rows(connection, _STAY, done)
    later = ((one.entry.key, one.again) for one in settlements if one.again is not None)
    execute_rows(
        connection,
        _AGAIN,
        (
            (key, again.due, again.attempts, again.confirm, again.late_until, again.approved, again.since)
            for key, again in later
        ),
    )


def hasten(connection: Connection[Any], limit: int, most_attempts: int | None) -> int:
    """Make up to `limit` delayed entries due at once, but not those that only wait until nothing can land late any
    more. Returns how many it were."""
    most = MOST_ATTEMPTS if most_attempts is None else most_attempts
    return connection.execute(_HASTEN, (_LANES, most, limit)).rowcount


def next_due(connection: Connection[Any], busy: frozenset[OrderKey], *, failed: bool) -> float | None:
    """The earliest due time of what isn't busy, 0 for at once. `failed`: of what failed, or else of the others."""
    rows = all_rows(connection, _EARLIEST_FAILING if failed else _EARLIEST, (_LANES, len(busy) + 1))
    return next((due for _, key, due in rows if key not in busy), None)


def confirm_in_flight(connection: Connection[Any], late_until: float | None) -> None:
    """Whoever took these is gone, and Redo may hold what was on its way, or take it until `late_until`."""
    connection.execute(_CONFIRM, (late_until,))


def doubt_in_flight(connection: Connection[Any], late_until: float | None) -> None:
    """The server may have lost how these were settled; who took them goes on. Redo may hold something else than their
    checkpoints say."""
    connection.execute(_DOUBT, (late_until,))
