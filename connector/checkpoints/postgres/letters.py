"""The SQL of dead letters: orders refused for good, one by one and by cause.

Functions on a connection, inside the caller's transaction.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from typing import Any, Final

from psycopg import Connection

from connector.checkpoints.letters import SAMPLES, letter, row
from connector.checkpoints.postgres.rows import all_rows, execute_rows
from connector.model.orders import OrderKey
from connector.pipeline.ports.records import DeadLetter, LetterGroup, Settlement

_BURY: Final = """
INSERT INTO dead_letter AS known
  (key, reason, message, paths, fingerprint, first_seen, last_seen, attempts, status, cause, store_id, letter_group)
SELECT * FROM unnest(%s::text[], %s::text[], %s::text[], %s::text[], %b::bytea[], %s::float8[], %s::float8[],
  %s::integer[], %s::integer[], %s::text[], %s::text[], %s::text[])
ON CONFLICT (key) DO UPDATE SET reason = excluded.reason, message = excluded.message, paths = excluded.paths,
  fingerprint = excluded.fingerprint, last_seen = excluded.last_seen, attempts = known.attempts + excluded.attempts,
  status = excluded.status, cause = excluded.cause, store_id = excluded.store_id, letter_group = excluded.letter_group
"""
_CLEAR: Final = "DELETE FROM dead_letter WHERE key = ANY(%s)"

_COLUMNS: Final = """
SELECT key, reason, message, paths, fingerprint, first_seen, last_seen, attempts, status, cause, store_id
FROM dead_letter
"""
_OF_KEYS: Final = _COLUMNS + "WHERE key = ANY(%s)"
_PAGE: Final = _COLUMNS + "WHERE key > %s ORDER BY key LIMIT %s"
_COUNTS: Final = "SELECT reason, count(*) FROM dead_letter GROUP BY reason"

_GROUPS: Final = """
SELECT letter_group, count(*), sum(attempts)::bigint, min(first_seen), max(last_seen),
  array_agg(DISTINCT store_id ORDER BY store_id) FILTER (WHERE store_id <> '')
FROM dead_letter GROUP BY letter_group
"""
_SAMPLES: Final = """
SELECT wanted.name, part.* FROM unnest(%s::text[]) AS wanted (name) CROSS JOIN LATERAL (
  SELECT key, reason, cause FROM dead_letter WHERE letter_group = wanted.name ORDER BY key LIMIT %s
) AS part
"""
_KEYS: Final = "SELECT key FROM dead_letter WHERE key > %s ORDER BY key LIMIT %s"
_GROUP_KEYS: Final = "SELECT key FROM dead_letter WHERE letter_group = %s AND key > %s ORDER BY key LIMIT %s"


def settle(connection: Connection[Any], settlements: Sequence[Settlement]) -> None:
    """Store what was refused, forget what no longer is."""
    if cleared := [one.entry.key for one in settlements if one.clear_dead_letter]:
        connection.execute(_CLEAR, (cleared,))
    refused = (settlement.dead_letter for settlement in settlements if settlement.dead_letter is not None)
    execute_rows(connection, _BURY, map(row, refused))


def of_keys(connection: Connection[Any], keys: Iterable[OrderKey]) -> Mapping[OrderKey, DeadLetter]:
    """The dead letters of some orders."""
    return {found[0]: letter(found) for found in all_rows(connection, _OF_KEYS, ([*keys],))}


def page(connection: Connection[Any], after: OrderKey | None, limit: int) -> list[DeadLetter]:
    """Dead letters in key order."""
    return [letter(found) for found in all_rows(connection, _PAGE, (after or "", limit))]


def counts(connection: Connection[Any]) -> Mapping[str, int]:
    """How many dead letters of each reason."""
    return dict(all_rows(connection, _COUNTS))


def groups(connection: Connection[Any]) -> list[LetterGroup]:
    """All groups, the largest first."""
    found = sorted(all_rows(connection, _GROUPS), key=lambda group: (-group[1], group[0]))
    samples = defaultdict[str, list[Any]](list)
    for name, *sample in all_rows(connection, _SAMPLES, ([group[0] for group in found], SAMPLES)):
        samples[name].append(sample)
    return [_group(samples[group[0]], *group) for group in found]


def keys(connection: Connection[Any], group: str | None, after: OrderKey | None, limit: int) -> list[OrderKey]:
    """Keys of a group's letters, or of all, in key order."""
    if group is None:
        return [key for (key,) in all_rows(connection, _KEYS, (after or "", limit))]
    return [key for (key,) in all_rows(connection, _GROUP_KEYS, (group, after or "", limit))]


def _group(
    samples: Sequence[Any],
    group: str,
    orders: int,
    attempts: int,
    first_seen: float,
    last_seen: float,
    stores: list[str] | None,
) -> LetterGroup:
    # Beside a writer the group may be gone between the two questions.
    reason, cause = samples[0][1:] if samples else ("", "")
    some = tuple(key for key, _, _ in samples)
    return LetterGroup(group, reason, cause, orders, attempts, first_seen, last_seen, some, tuple(stores or ()))
