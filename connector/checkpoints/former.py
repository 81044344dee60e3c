"""The SQL of former keys: what is stored of orders whose keys had another shape, until today's keys take it over.

Functions on a connection, inside the caller's transaction. They must not know what a key's shape is.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any, Final

import apsw

from connector.checkpoints.vault import Vault
from connector.model.orders import FORMER_KEYS, OrderKey, Place, former

STEP: Final = 5_000
"""Keys given another name in one transaction."""
AFTER_FORMER: Final = FORMER_KEYS[:-1] + chr(ord(FORMER_KEYS[-1]) + 1)
"""The first text that comes after all former keys."""

_BEFORE: Final = "SELECT key FROM checkpoint WHERE key < ? ORDER BY key LIMIT ?"
_AFTER: Final = "SELECT key FROM checkpoint WHERE key >= ? ORDER BY key LIMIT ?"
_LATE: Final = "SELECT max(late_until) FROM ledger"

# What Redo holds there isn't known, and no order may go without somebody knowing it.
_WITHOUT_CHECKPOINT: Final = """
INSERT INTO checkpoint (key, order_id, fingerprint, accepted_at, missing, store_id)
SELECT key, min(order_id), x'', ?1, 0, store_id FROM leftover
WHERE NOT EXISTS (SELECT 1 FROM checkpoint WHERE checkpoint.key = leftover.key) AND key = coalesce(?2, key)
GROUP BY key
"""
# Of keys from ?2 to ?3, with ?1 put before them.
_RETIRE: Final = (
    """
    UPDATE checkpoint SET fingerprint = x'', digest = x'' WHERE key BETWEEN ?2 AND ?3 AND (
      EXISTS (SELECT 1 FROM ledger WHERE ledger.key = checkpoint.key AND (confirm OR late_until IS NOT NULL))
      OR EXISTS (SELECT 1 FROM held WHERE held.key = checkpoint.key AND held.confirm))
    """,
    "DELETE FROM checkpoint WHERE key IN (SELECT ?1 || key FROM checkpoint WHERE key BETWEEN ?2 AND ?3)",
    "UPDATE checkpoint SET key = ?1 || key WHERE key BETWEEN ?2 AND ?3",
    "UPDATE OR REPLACE leftover SET key = ?1 || key WHERE key BETWEEN ?2 AND ?3",
    "UPDATE OR REPLACE line_item SET order_key = ?1 || order_key WHERE order_key BETWEEN ?2 AND ?3",
    "UPDATE OR REPLACE warning SET key = ?1 || key WHERE key BETWEEN ?2 AND ?3",
    "UPDATE OR REPLACE payload SET key = ?1 || key WHERE key BETWEEN ?2 AND ?3",
)
_RENAME: Final = (
    "UPDATE checkpoint SET key = ? WHERE key = ?",
    "UPDATE OR REPLACE leftover SET key = ? WHERE key = ?",
    "UPDATE OR REPLACE line_item SET order_key = ? WHERE order_key = ?",
    "UPDATE OR REPLACE warning SET key = ? WHERE key = ?",
    "UPDATE OR REPLACE payload SET key = ? WHERE key = ?",
)
_WAITING: Final = ("DELETE FROM dead_letter", "DELETE FROM held", "DELETE FROM ledger")
_LOOKUPS: Final = "DELETE FROM lookup"

# One that left the mapping is second choice, and so is one that has had the place longer ago.
_AT_PLACE: Final = """
SELECT key FROM checkpoint WHERE store_id = ? AND order_id = ? AND key >= ? AND key < ?
  AND NOT EXISTS (SELECT 1 FROM ledger WHERE ledger.key = checkpoint.key AND late_until IS NOT NULL)
ORDER BY missing, accepted_at DESC, key
"""
_HAS_OWN: Final = "SELECT EXISTS (SELECT 1 FROM checkpoint WHERE key = ?)"
_PAYLOADS: Final = "SELECT store_id, order_id, sealed FROM payload WHERE key = ?"
_SEAL_ANEW: Final = "UPDATE payload SET sealed = ? WHERE key = ? AND store_id = ? AND order_id = ?"


def late_until(connection: apsw.Connection) -> float | None:
    """Until when a request of any order may still be carried out late."""
    found: float | None = connection.execute(_LATE).get
    return found


def begin(connection: apsw.Connection, now: float) -> None:
    """Before the first step: places that Redo may hold an order at, without a checkpoint, get one."""
    connection.execute(_WITHOUT_CHECKPOINT, (now, None))


def retire_some(connection: apsw.Connection, shape: int) -> bool:
    """Some of today's keys become former ones. False when there were none left."""
    for query, bound in ((_BEFORE, FORMER_KEYS), (_AFTER, AFTER_FORMER)):
        keys = [key for (key,) in connection.execute(query, (bound, STEP))]
        if keys:
            _retire(connection, keys[0], keys[-1], shape)
            return True
    return False


def forget_waiting(connection: apsw.Connection) -> None:
    """What waits, is refused or held, and the lookups, whatever their keys."""
    for statement in (*_WAITING, _LOOKUPS):
        connection.execute(statement)


def retire(connection: apsw.Connection, keys: Sequence[OrderKey], shape: int, now: float) -> None:
    """These keys become former ones, apart from their ledger entries, which are in work."""
    for key in keys:
        connection.execute(_WITHOUT_CHECKPOINT, (now, key))
        _retire(connection, key, key, shape)
        for statement in _WAITING[:2]:
            connection.execute(statement + " WHERE key = ?", (key,))


def _retire(connection: apsw.Connection, first: OrderKey, last: OrderKey, shape: int) -> None:
    for statement in _RETIRE:
        connection.execute(statement, (former(OrderKey(""), shape), first, last))


def take_over(
    connection: apsw.Connection, claims: Mapping[OrderKey, Place], busy: frozenset[OrderKey], vault: Vault | None
) -> frozenset[OrderKey]:
    """See `pipeline.ports.store.CheckpointStore.take_over`."""
    return frozenset(key for key, place in claims.items() if _taken(connection, key, place, busy, vault))


def _taken(
    connection: apsw.Connection, key: OrderKey, place: Place, busy: frozenset[OrderKey], vault: Vault | None
) -> bool:
    bindings = (place.store_id, place.order_id, FORMER_KEYS, AFTER_FORMER)
    there = [found for (found,) in connection.execute(_AT_PLACE, bindings) if found not in busy]
    if not there or connection.execute(_HAS_OWN, (key,)).get:
        return False
    was = there[0]
    bodies = payloads(connection.execute(_PAYLOADS, (was,)), was, vault)
    for statement in _RENAME:
        connection.execute(statement, (key, was))
    if vault is not None:
        connection.executemany(
            _SEAL_ANEW, ((vault.seal(key, at, body), key, at.store_id, at.order_id) for at, body in bodies.items())
        )
    for statement in _WAITING:
        connection.execute(statement + " WHERE key = ?", (was,))
    return True


def payloads(rows: Iterable[tuple[Any, ...]], key: OrderKey, vault: Vault | None) -> dict[Place, bytes]:
    """Rows of store, order and sealed body, opened. What no key of the vault opens is left out."""
    found = {}
    for store_id, order_id, sealed in rows:
        place = Place(store_id, order_id)
        body = None if vault is None else vault.open(key, place, sealed)
        if body is not None:
            found[place] = body
    return found
