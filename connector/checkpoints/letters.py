"""The SQL of dead letters: orders refused for good, one by one and by cause.

Functions on a connection, inside the caller's transaction.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Mapping, Sequence
from typing import Any, Final

import apsw
import orjson

from connector.model.orders import OrderKey
from connector.pipeline.ports.records import DeadLetter, LetterGroup, Settlement

SAMPLES: Final = 5
"""Keys shown of each group."""

_BURY: Final = """
INSERT INTO dead_letter
  (key, reason, message, paths, fingerprint, first_seen, last_seen, attempts, status, cause, store_id, letter_group)
VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)
ON CONFLICT (key) DO UPDATE SET reason = excluded.reason, message = excluded.message, paths = excluded.paths,
  fingerprint = excluded.fingerprint, last_seen = excluded.last_seen, attempts = attempts + excluded.attempts,
  status = excluded.status, cause = excluded.cause, store_id = excluded.store_id, letter_group = excluded.letter_group
"""
_CLEAR: Final = "DELETE FROM dead_letter WHERE key = ?"

_COLUMNS: Final = """
SELECT key, reason, message, paths, fingerprint, first_seen, last_seen, attempts, status, cause, store_id
FROM dead_letter
"""
_OF_KEYS: Final = _COLUMNS + "WHERE key IN (SELECT value FROM json_each(?))"  # noqa: S608 (constants)
_PAGE: Final = _COLUMNS + "WHERE key > ? ORDER BY key LIMIT ?"
_COUNTS: Final = "SELECT reason, count(*) FROM dead_letter GROUP BY reason"

_GROUPS: Final = """
SELECT letter_group, count(*), sum(attempts), min(first_seen), max(last_seen), json_group_array(DISTINCT store_id)
FROM dead_letter GROUP BY letter_group
"""
_SAMPLE: Final = "SELECT key, reason, cause FROM dead_letter WHERE letter_group = ? ORDER BY key LIMIT ?"
_KEYS: Final = "SELECT key FROM dead_letter WHERE key > ? ORDER BY key LIMIT ?"
_GROUP_KEYS: Final = "SELECT key FROM dead_letter WHERE letter_group = ? AND key > ? ORDER BY key LIMIT ?"


def letter_group(reason: str, cause: str) -> str:
    """The short name of the group of dead letters of one reason and cause: 8 hex digits, the same in every store."""
    return hashlib.blake2b(f"{reason}\0{cause}".encode(), digest_size=4).hexdigest()


def teach_letter_group(connection: apsw.Connection) -> None:
    """Let SQL on this connection call `letter_group(reason, cause)`."""
    connection.create_scalar_function("letter_group", lambda *of: letter_group(*map(str, of)), 2, deterministic=True)


def settle(connection: apsw.Connection, settlements: Sequence[Settlement]) -> None:
    """Store what was refused, forget what no longer is."""
    connection.executemany(_CLEAR, ((s.entry.key,) for s in settlements if s.clear_dead_letter))
    refused = (settlement.dead_letter for settlement in settlements if settlement.dead_letter is not None)
    connection.executemany(_BURY, map(row, refused))


def of_keys(connection: apsw.Connection, keys: Iterable[OrderKey]) -> Mapping[OrderKey, DeadLetter]:
    """The dead letters of some orders."""
    letters = map(letter, connection.execute(_OF_KEYS, (_json(keys),)))
    return {one.key: one for one in letters}


def page(connection: apsw.Connection, after: OrderKey | None, limit: int) -> list[DeadLetter]:
    """Dead letters in key order."""
    return [letter(found) for found in connection.execute(_PAGE, (after or "", limit))]


def counts(connection: apsw.Connection) -> Mapping[str, int]:
    """How many dead letters of each reason."""
    return dict(connection.execute(_COUNTS))


def groups(connection: apsw.Connection) -> list[LetterGroup]:
    """All groups, the largest first."""
    found: list[Any] = connection.execute(_GROUPS).fetchall()
    return [_group(connection, *row) for row in sorted(found, key=lambda row: (-row[1], row[0]))]


def keys(connection: apsw.Connection, group: str | None, after: OrderKey | None, limit: int) -> list[OrderKey]:
    """Keys of a group's letters, or of all, in key order."""
    if group is None:
        return [key for (key,) in connection.execute(_KEYS, (after or "", limit))]
    return [key for (key,) in connection.execute(_GROUP_KEYS, (group, after or "", limit))]


def _group(
    connection: apsw.Connection,
    group: str,
    orders: int,
    attempts: int,
    first_seen: float,
    last_seen: float,
    stores: str,
) -> LetterGroup:
    samples: list[Any] = connection.execute(_SAMPLE, (group, SAMPLES)).fetchall()
    # Beside a writer the group may be gone between the two questions.
    reason, cause = samples[0][1:] if samples else ("", "")
    some = tuple(key for key, _, _ in samples)
    named = tuple(sorted(store for store in orjson.loads(stores) if store))
    return LetterGroup(group, reason, cause, orders, attempts, first_seen, last_seen, some, named)


def row(letter: DeadLetter) -> tuple[Any, ...]:
    """As `dead_letter` has it, in any store."""
    return (
        letter.key,
        letter.reason,
        letter.message,
        _json(letter.paths),
        letter.fingerprint,
        letter.first_seen,
        letter.last_seen,
        letter.attempts,
        letter.status,
        letter.cause,
        letter.store_id,
        letter_group(letter.reason, letter.cause),
    )


def letter(row: tuple[Any, ...]) -> DeadLetter:
    """What a row of the columns from `key` to `store_id` says."""
    key, reason, message, paths, *rest = row
    return DeadLetter(key, reason, message, tuple(orjson.loads(paths)), *rest)


def _json(texts: Iterable[str]) -> str:
    return orjson.dumps([*texts]).decode()
