"""The SQL of sealed payloads: the bodies that Redo accepted, by order and place.

Functions on a connection, inside the caller's transaction. A payload lives as long as its place is the checkpoint's or
a leftover, so these run after the checkpoints and leftovers were written.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Final

from psycopg import Connection

from connector.checkpoints.postgres.rows import execute_rows, one_value
from connector.checkpoints.vault import Vault
from connector.model.orders import OrderKey, Place
from connector.pipeline.ports.records import Settlement, Venture

_KEEP: Final = """
INSERT INTO payload (key, store_id, order_id, sealed)
SELECT * FROM unnest(%s::text[], %s::text[], %s::text[], %b::bytea[])
ON CONFLICT (key, store_id, order_id) DO UPDATE SET sealed = excluded.sealed
"""
_KEEP_IF_NONE: Final = """
INSERT INTO payload (key, store_id, order_id, sealed)
SELECT * FROM unnest(%s::text[], %s::text[], %s::text[], %b::bytea[])
ON CONFLICT DO NOTHING
"""
_DROP_STRAYS: Final = """
DELETE FROM payload WHERE key = ANY(%s)
  AND NOT EXISTS (SELECT FROM checkpoint AS here WHERE here.key = payload.key
    AND here.store_id = payload.store_id AND here.order_id = payload.order_id)
  AND NOT EXISTS (SELECT FROM leftover AS there WHERE there.key = payload.key
    AND there.store_id = payload.store_id AND there.order_id = payload.order_id)
"""
_SEALED: Final = "SELECT sealed FROM payload WHERE key = %s AND store_id = %s AND order_id = %s"


def settle(connection: Connection[Any], settlements: Sequence[Settlement], vault: Vault | None) -> None:
    """Seal and store what was accepted; drop what no longer has a place."""
    if vault is not None:
        execute_rows(
            connection,
            _KEEP,
            (
                (key, place.store_id, place.order_id, vault.seal(key, place, settlement.payload))
                for settlement in settlements
                if settlement.payload is not None and (place := settlement.payload_place) is not None
                for key in (settlement.entry.key,)
            ),
        )
    moved = [one.entry.key for one in settlements if one.checkpoint is not None or one.forget or one.settled_places]
    if moved:
        connection.execute(_DROP_STRAYS, (moved,))


def venture(connection: Connection[Any], ventures: Sequence[Venture], vault: Vault | None) -> None:
    """Seal and store what Redo may hold; what is there already stays."""
    if vault is not None:
        execute_rows(
            connection,
            _KEEP_IF_NONE,
            (
                (one.key, one.place.store_id, one.place.order_id, vault.seal(one.key, one.place, one.payload))
                for one in ventures
                if one.payload is not None
            ),
        )


def payload(connection: Connection[Any], key: OrderKey, place: Place, vault: Vault | None) -> bytes | None:
    """What was kept, None without the key that opens it."""
    sealed = one_value(connection, _SEALED, (key, place.store_id, place.order_id))
    return None if sealed is None or vault is None else vault.open(key, place, sealed)
