"""The SQL of what Redo accepted: checkpoints, and places at which it may hold an order beside them.

Functions on a connection, inside the caller's transaction. They must not know the ledger.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any, Final

from psycopg import Connection

from connector.checkpoints.accepted import forgetting
from connector.checkpoints.postgres.rows import all_rows, execute_rows
from connector.model.orders import OrderKey, Place
from connector.pipeline.ports.records import Checkpoint, Settlement, Venture

_ACCEPT: Final = """
INSERT INTO checkpoint (key, order_id, fingerprint, accepted_at, redo_id, missing, digest, store_id, traits)
SELECT * FROM unnest(%s::text[], %s::text[], %b::bytea[], %s::float8[], %s::text[], %s::boolean[], %b::bytea[],
  %s::text[], %b::bytea[])
ON CONFLICT (key) DO UPDATE SET order_id = excluded.order_id, fingerprint = excluded.fingerprint,
  accepted_at = excluded.accepted_at, redo_id = excluded.redo_id, missing = excluded.missing,
  digest = excluded.digest, store_id = excluded.store_id, traits = excluded.traits
"""
_FORGET: Final = "DELETE FROM checkpoint WHERE key = ANY(%s)"

_CHECKPOINTS: Final = """
SELECT key, order_id, fingerprint, accepted_at, redo_id, missing, digest, store_id, traits FROM checkpoint
WHERE key = ANY(%s)
"""
_OWNERS: Final = "SELECT store_id, order_id, key FROM checkpoint WHERE NOT missing AND order_id = ANY(%s)"
_KEY_PAGE: Final = "SELECT key FROM checkpoint WHERE NOT missing AND key > %s ORDER BY key LIMIT %s"
_SAMPLE: Final = "SELECT key FROM checkpoint WHERE NOT missing ORDER BY random() LIMIT %s"

_ADOPT: Final = """
UPDATE checkpoint SET store_id = %s WHERE key IN (SELECT key FROM checkpoint WHERE store_id = '' LIMIT %s)
"""
_ADOPT_LEFTOVERS: Final = """
WITH nameless AS (DELETE FROM leftover WHERE store_id = '' RETURNING key, order_id)
INSERT INTO leftover (key, store_id, order_id) SELECT key, %s, order_id FROM nameless ON CONFLICT DO NOTHING
"""

_LEAVE_BEHIND: Final = """
INSERT INTO leftover (key, store_id, order_id) SELECT * FROM unnest(%s::text[], %s::text[], %s::text[])
ON CONFLICT DO NOTHING
"""
_CLEAN_UP: Final = """
DELETE FROM leftover USING unnest(%s::text[], %s::text[], %s::text[]) AS gone (key, store_id, order_id)
WHERE (leftover.key, leftover.store_id, leftover.order_id) = (gone.key, gone.store_id, gone.order_id)
"""
_LEFTOVERS: Final = """
SELECT key, store_id, order_id FROM leftover WHERE key = ANY(%s) ORDER BY key, store_id, order_id
"""


def settle(connection: Connection[Any], settlements: Sequence[Settlement]) -> None:
    """Store what was accepted, and where else Redo may hold it."""
    accepted = (one.checkpoint for one in settlements if one.checkpoint is not None)
    execute_rows(
        connection,
        _ACCEPT,
        (
            (c.key, c.order_id, c.fingerprint, c.accepted_at, c.redo_id, c.missing, c.digest, c.store_id, c.traits)
            for c in accepted
        ),
    )
    if gone := [one.entry.key for one in settlements if one.forget]:
        connection.execute(_FORGET, (gone,))
    execute_rows(
        connection, _CLEAN_UP, (row for one in settlements for row in _rows(one.entry.key, one.settled_places))
    )
    execute_rows(connection, _LEAVE_BEHIND, (row for one in settlements for row in _rows(one.entry.key, one.leftovers)))


def venture(connection: Connection[Any], ventures: Sequence[Venture]) -> None:
    """Store where else Redo may hold orders from now on."""
    execute_rows(connection, _LEAVE_BEHIND, ((one.key, one.place.store_id, one.place.order_id) for one in ventures))


def of_keys(connection: Connection[Any], keys: Iterable[OrderKey]) -> Mapping[OrderKey, Checkpoint]:
    """The checkpoints of some orders."""
    return {row[0]: Checkpoint(*row) for row in all_rows(connection, _CHECKPOINTS, ([*keys],))}


def leftovers(connection: Connection[Any], keys: Iterable[OrderKey]) -> Mapping[OrderKey, tuple[Place, ...]]:
    """Where else Redo may hold some orders, in the order of the places."""
    found: dict[OrderKey, tuple[Place, ...]] = {}
    for key, store_id, order_id in all_rows(connection, _LEFTOVERS, ([*keys],)):
        found[key] = (*found.get(key, ()), Place(store_id, order_id))
    return found


def owners(connection: Connection[Any], places: Sequence[Place]) -> Mapping[Place, tuple[OrderKey, ...]]:
    """The keys that hold each place, the smallest two."""
    wanted, found = frozenset(places), dict[Place, tuple[OrderKey, ...]]()
    for store_id, order_id, key in all_rows(connection, _OWNERS, (sorted({place.order_id for place in wanted}),)):
        place = Place(store_id, order_id)
        if place in wanted:
            found[place] = tuple(sorted((*found.get(place, ()), key))[:2])
    return found


def displaced(connection: Connection[Any], settlements: Sequence[Settlement]) -> list[Settlement]:
    """After these were stored: settlements that forget who had the places before."""
    gone = []
    for settlement in settlements:
        if settlement.displaces and settlement.checkpoint is not None:
            there = of_keys(connection, settlement.displaces).values()
            gone += [forgetting(one.key) for one in there if one.place == settlement.checkpoint.place]
    return gone


def adopt(connection: Connection[Any], store_id: str, limit: int) -> int:
    """Give up to `limit` checkpoints without a store this one, and all leftovers. Returns how many checkpoints."""
    connection.execute(_ADOPT_LEFTOVERS, (store_id,))
    return connection.execute(_ADOPT, (store_id, limit)).rowcount


def page_keys(connection: Connection[Any], after: OrderKey | None, limit: int) -> list[OrderKey]:
    """Keys of checkpoints that aren't marked missing."""
    return [key for (key,) in all_rows(connection, _KEY_PAGE, (after or "", limit))]


def random_keys(connection: Connection[Any], size: int) -> list[OrderKey]:
    """Keys of some such checkpoints, each with the same chance. Reads all."""
    return [key for (key,) in all_rows(connection, _SAMPLE, (size,))]


def _rows(key: OrderKey, places: Sequence[Place]) -> Iterable[tuple[OrderKey, str, str]]:
    return ((key, place.store_id, place.order_id) for place in places)
