"""The SQL of what Redo accepted and what it refused: checkpoints and dead letters.

Functions on a connection, inside the caller's transaction. They must not know the ledger.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any, Final

import apsw
import orjson

from connector.orders import OrderKey
from connector.pipeline.ports import Checkpoint, DeadLetter, Known, Settlement

_ACCEPT: Final = """
INSERT INTO checkpoint (key, order_id, fingerprint, accepted_at, redo_id, missing, digest)
VALUES (?, ?, ?, ?, ?, ?, ?)
ON CONFLICT (key) DO UPDATE SET order_id = excluded.order_id, fingerprint = excluded.fingerprint,
  accepted_at = excluded.accepted_at, redo_id = excluded.redo_id, missing = excluded.missing,
  digest = excluded.digest
"""

_BURY: Final = """
INSERT INTO dead_letter (key, reason, message, paths, fingerprint, first_seen, last_seen, attempts, status)
VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)
ON CONFLICT (key) DO UPDATE SET reason = excluded.reason, message = excluded.message, paths = excluded.paths,
  fingerprint = excluded.fingerprint, last_seen = excluded.last_seen, attempts = attempts + excluded.attempts,
  status = excluded.status
"""
_CLEAR: Final = "DELETE FROM dead_letter WHERE key = ?"

_CHECKPOINTS: Final = """
SELECT key, order_id, fingerprint, accepted_at, redo_id, missing, digest FROM checkpoint
WHERE key IN (SELECT value FROM json_each(?))
"""
_LETTER_COLUMNS: Final = """
SELECT key, reason, message, paths, fingerprint, first_seen, last_seen, attempts, status FROM dead_letter
"""
_DEAD_LETTERS: Final = _LETTER_COLUMNS + "WHERE key IN (SELECT value FROM json_each(?))"  # noqa: S608 (constants)
_LETTER_PAGE: Final = _LETTER_COLUMNS + "WHERE key > ? ORDER BY key LIMIT ?"
_LETTER_COUNTS: Final = "SELECT reason, count(*) FROM dead_letter GROUP BY reason"

_OWNERS: Final = """
SELECT order_id, min(key) FROM checkpoint
WHERE missing = 0 AND order_id IN (SELECT value FROM json_each(?)) GROUP BY order_id
"""
_KEY_PAGE: Final = "SELECT key FROM checkpoint WHERE missing = 0 AND key > ? ORDER BY key LIMIT ?"


def settle(connection: apsw.Connection, settlements: Sequence[Settlement]) -> None:
    """Store what was accepted and refused."""
    accepted = [settlement.checkpoint for settlement in settlements if settlement.checkpoint is not None]
    connection.executemany(
        _ACCEPT, ((c.key, c.order_id, c.fingerprint, c.accepted_at, c.redo_id, c.missing, c.digest) for c in accepted)
    )
    connection.executemany(_CLEAR, ((s.entry.key,) for s in settlements if s.clear_dead_letter))
    refused = [settlement.dead_letter for settlement in settlements if settlement.dead_letter is not None]
    connection.executemany(_BURY, map(_letter_row, refused))


def known(connection: apsw.Connection, keys: Sequence[OrderKey]) -> Known:
    """Everything remembered about some keys."""
    wanted = (_json(keys),)
    checkpoints = map(_checkpoint, connection.execute(_CHECKPOINTS, wanted))
    letters = map(_letter, connection.execute(_DEAD_LETTERS, wanted))
    return Known({c.key: c for c in checkpoints}, {letter.key: letter for letter in letters})


def owners(connection: apsw.Connection, order_ids: Sequence[str]) -> Mapping[str, OrderKey]:
    """The key that holds each order id, of several the smallest."""
    return dict(connection.execute(_OWNERS, (_json(order_ids),)))


def page_keys(connection: apsw.Connection, after: OrderKey | None, limit: int) -> list[OrderKey]:
    """Keys of checkpoints that aren't marked missing."""
    return [key for (key,) in connection.execute(_KEY_PAGE, (after or "", limit))]


def page_letters(connection: apsw.Connection, after: OrderKey | None, limit: int) -> list[DeadLetter]:
    """Dead letters in key order."""
    return [_letter(row) for row in connection.execute(_LETTER_PAGE, (after or "", limit))]


def count_letters(connection: apsw.Connection) -> Mapping[str, int]:
    """How many dead letters of each reason."""
    return dict(connection.execute(_LETTER_COUNTS))


def _checkpoint(row: tuple[Any, ...]) -> Checkpoint:
    key, order_id, fingerprint, accepted_at, redo_id, missing, digest = row
    return Checkpoint(key, order_id, fingerprint, accepted_at, redo_id, bool(missing), digest)


def _letter_row(letter: DeadLetter) -> tuple[Any, ...]:
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
    )


def _letter(row: tuple[Any, ...]) -> DeadLetter:
    key, reason, message, paths, *rest = row
    return DeadLetter(key, reason, message, tuple(orjson.loads(paths)), *rest)


def _json(texts: Iterable[str]) -> str:
    return orjson.dumps([*texts]).decode()
