"""The SQL of what Redo accepted: checkpoints, and places at which it may hold an order beside them.

Functions on a connection, inside the caller's transaction. They must not know the ledger.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any, Final

import apsw
import orjson

from connector.model.orders import OrderKey, Place
from connector.pipeline.ports.entries import Entry, Lane
from connector.pipeline.ports.records import Checkpoint, Settlement, Venture

_ACCEPT: Final = """
INSERT INTO checkpoint (key, order_id, fingerprint, accepted_at, redo_id, missing, digest, store_id, traits)
VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)
ON CONFLICT (key) DO UPDATE SET order_id = excluded.order_id, fingerprint = excluded.fingerprint,
  accepted_at = excluded.accepted_at, redo_id = excluded.redo_id, missing = excluded.missing,
  digest = excluded.digest, store_id = excluded.store_id, traits = excluded.traits
"""
_FORGET: Final = "DELETE FROM checkpoint WHERE key = ?"

_CHECKPOINTS: Final = """
SELECT key, order_id, fingerprint, accepted_at, redo_id, missing, digest, store_id, traits FROM checkpoint
WHERE key IN (SELECT value FROM json_each(?))
"""
_OWNERS: Final = """
SELECT store_id, order_id, key FROM checkpoint
WHERE missing = 0 AND order_id IN (SELECT value FROM json_each(?))
"""
_KEY_PAGE: Final = "SELECT key FROM checkpoint WHERE missing = 0 AND key > ? ORDER BY key LIMIT ?"

_ADOPT: Final = """
UPDATE checkpoint SET store_id = ? WHERE key IN (SELECT key FROM checkpoint WHERE store_id = '' LIMIT ?)
"""
_ADOPT_LEFTOVERS: Final = "UPDATE OR REPLACE leftover SET store_id = ? WHERE store_id = ''"

_LEAVE_BEHIND: Final = "INSERT OR IGNORE INTO leftover (key, store_id, order_id) VALUES (?, ?, ?)"
_CLEAN_UP: Final = "DELETE FROM leftover WHERE key = ? AND store_id = ? AND order_id = ?"
_LEFTOVERS: Final = """
SELECT key, store_id, order_id FROM leftover WHERE key IN (SELECT value FROM json_each(?))
ORDER BY key, store_id, order_id
"""


def settle(connection: apsw.Connection, settlements: Sequence[Settlement]) -> None:
    """Store what was accepted, and where else Redo may hold it."""
    accepted = (one.checkpoint for one in settlements if one.checkpoint is not None)
    connection.executemany(
        _ACCEPT,
        (
            (c.key, c.order_id, c.fingerprint, c.accepted_at, c.redo_id, c.missing, c.digest, c.store_id, c.traits)
            for c in accepted
        ),
    )
    connection.executemany(_FORGET, ((one.entry.key,) for one in settlements if one.forget))
    connection.executemany(_CLEAN_UP, (row for one in settlements for row in _rows(one.entry.key, one.settled_places)))
    connection.executemany(_LEAVE_BEHIND, (row for one in settlements for row in _rows(one.entry.key, one.leftovers)))


def venture(connection: apsw.Connection, ventures: Sequence[Venture]) -> None:
    """Store where else Redo may hold orders from now on."""
    connection.executemany(_LEAVE_BEHIND, ((one.key, one.place.store_id, one.place.order_id) for one in ventures))


def of_keys(connection: apsw.Connection, keys: Iterable[OrderKey]) -> Mapping[OrderKey, Checkpoint]:
    """The checkpoints of some orders."""
    checkpoints = map(_checkpoint, connection.execute(_CHECKPOINTS, (_json(keys),)))
    return {checkpoint.key: checkpoint for checkpoint in checkpoints}


def leftovers(connection: apsw.Connection, keys: Iterable[OrderKey]) -> Mapping[OrderKey, tuple[Place, ...]]:
    """Where else Redo may hold some orders, in the order of the places."""
    found: dict[OrderKey, tuple[Place, ...]] = {}
    for key, store_id, order_id in connection.execute(_LEFTOVERS, (_json(keys),)):
        found[key] = (*found.get(key, ()), Place(store_id, order_id))
    return found


def owners(connection: apsw.Connection, places: Sequence[Place]) -> Mapping[Place, tuple[OrderKey, ...]]:
    """The keys that hold each place, the smallest two."""
    wanted, found = frozenset(places), dict[Place, tuple[OrderKey, ...]]()
    for store_id, order_id, key in connection.execute(_OWNERS, (_json({place.order_id for place in wanted}),)):
        place = Place(store_id, order_id)
        if place in wanted:
            found[place] = tuple(sorted((*found.get(place, ()), key))[:2])
    return found


def displaced(connection: apsw.Connection, settlements: Sequence[Settlement]) -> list[Settlement]:
    """After these were stored: settlements that forget who had the places before."""
    gone = []
    for settlement in settlements:
        if settlement.displaces and settlement.checkpoint is not None:
            there = of_keys(connection, settlement.displaces).values()
            gone += [forgetting(one.key) for one in there if one.place == settlement.checkpoint.place]
    return gone


def forgetting(key: OrderKey) -> Settlement:
    """An order that Redo holds no longer; its ledger entry, if any, is another matter."""
    return Settlement(Entry(key, 0, 0, 0.0, Lane.LIVE, 0, False), members={}, forget=True)


def adopt(connection: apsw.Connection, store_id: str, limit: int) -> int:
    """Give up to `limit` checkpoints without a store this one, and all leftovers. Returns how many checkpoints."""
    connection.execute(_ADOPT_LEFTOVERS, (store_id,))
    connection.execute(_ADOPT, (store_id, limit))
    return connection.changes()


def page_keys(connection: apsw.Connection, after: OrderKey | None, limit: int) -> list[OrderKey]:
    """Keys of checkpoints that aren't marked missing."""
    return [key for (key,) in connection.execute(_KEY_PAGE, (after or "", limit))]


def _checkpoint(row: tuple[Any, ...]) -> Checkpoint:
    key, order_id, fingerprint, accepted_at, redo_id, missing, digest, store_id, traits = row
    return Checkpoint(key, order_id, fingerprint, accepted_at, redo_id, bool(missing), digest, store_id, traits)


def _rows(key: OrderKey, places: Sequence[Place]) -> Iterable[tuple[OrderKey, str, str]]:
    return ((key, place.store_id, place.order_id) for place in places)


def _json(texts: Iterable[str]) -> str:
    return orjson.dumps([*texts]).decode()
