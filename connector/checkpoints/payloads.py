"""The SQL of sealed payloads: the bodies that Redo accepted, by order and place.

Functions on a connection, inside the caller's transaction. A payload lives as long as its place is the checkpoint's or
a leftover, so these run after the checkpoints and leftovers were written.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

import apsw

from connector.checkpoints.vault import Vault
from connector.model.orders import OrderKey, Place
from connector.pipeline.ports.records import Settlement, Venture

_KEEP: Final = """
INSERT INTO payload (key, store_id, order_id, sealed) VALUES (?, ?, ?, ?)
ON CONFLICT (key, store_id, order_id) DO UPDATE SET sealed = excluded.sealed
"""
_KEEP_IF_NONE: Final = "INSERT OR IGNORE INTO payload (key, store_id, order_id, sealed) VALUES (?, ?, ?, ?)"
_DROP_STRAYS: Final = """
DELETE FROM payload WHERE key = ?
  AND NOT EXISTS (SELECT 1 FROM checkpoint AS here WHERE here.key = payload.key
    AND here.store_id = payload.store_id AND here.order_id = payload.order_id)
  AND NOT EXISTS (SELECT 1 FROM leftover AS there WHERE there.key = payload.key
    AND there.store_id = payload.store_id AND there.order_id = payload.order_id)
"""
_ANY: Final = "SELECT EXISTS (SELECT 1 FROM payload)"
_SEALED: Final = "SELECT sealed FROM payload WHERE key = ? AND store_id = ? AND order_id = ?"


def settle(connection: apsw.Connection, settlements: Sequence[Settlement], vault: Vault | None) -> None:
    """Seal and store what was accepted; drop what no longer has a place."""
    if vault is not None:
        connection.executemany(
            _KEEP,
            (
                (key, place.store_id, place.order_id, vault.seal(key, place, settlement.payload))
                for settlement in settlements
                if settlement.payload is not None and (place := settlement.payload_place) is not None
                for key in (settlement.entry.key,)
            ),
        )
    if connection.execute(_ANY).get:
        moved = (one for one in settlements if one.checkpoint is not None or one.forget or one.settled_places)
        connection.executemany(_DROP_STRAYS, ((settlement.entry.key,) for settlement in moved))


def venture(connection: apsw.Connection, ventures: Sequence[Venture], vault: Vault | None) -> None:
    """Seal and store what Redo may hold; what is there already stays."""
    if vault is not None:
        connection.executemany(
            _KEEP_IF_NONE,
            (
                (one.key, one.place.store_id, one.place.order_id, vault.seal(one.key, one.place, one.payload))
                for one in ventures
                if one.payload is not None
            ),
        )


def payload(connection: apsw.Connection, key: OrderKey, place: Place, vault: Vault | None) -> bytes | None:
    """What was kept, None without the key that opens it."""
    row = connection.execute(_SEALED, (key, place.store_id, place.order_id)).fetchone()
    return None if row is None or vault is None else vault.open(key, place, row[0])


def refuse_unsealed(settlements: Sequence[Settlement | Venture], vault: Vault | None) -> None:
    """Raises ValueError when a payload is given to a store that can't seal it."""
    if vault is None and any(settlement.payload is not None for settlement in settlements):
        raise ValueError("a payload was given to a checkpoint store that has no vault")
