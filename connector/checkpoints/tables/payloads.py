"""Sealed payloads: the bodies that Redo accepted, by order and place.

A payload lives as long as its place is the checkpoint's or a leftover, so these run after the checkpoints and leftovers
were written.
"""

from __future__ import annotations

from collections.abc import Sequence

from connector.checkpoints.engine import Session
from connector.checkpoints.vault import Vault
from connector.model.orders import OrderKey, Place
from connector.pipeline.ports.records import Settlement, Venture

Row = tuple[OrderKey, str, str, bytes]


def settle(session: Session, settlements: Sequence[Settlement], vault: Vault | None) -> None:
    """Seal and store what was accepted; drop what no longer has a place."""
    if vault is not None:
        kept = [
            sealed(vault, one.entry.key, place, one.payload)
            for one in settlements
            if one.payload is not None and (place := one.payload_place) is not None
        ]
        session.run_rows("payload_keep", kept)
    moved = [one.entry.key for one in settlements if one.checkpoint is not None or one.forget or one.settled_places]
    if moved:
        session.run("payload_drop_strays", keys=moved)


def venture(session: Session, ventures: Sequence[Venture], vault: Vault | None) -> None:
    """Seal and store what Redo may hold; what is there already stays."""
    if vault is not None:
        kept = [sealed(vault, one.key, one.place, one.payload) for one in ventures if one.payload is not None]
        session.run_rows("payload_keep_if_none", kept)


def payload(session: Session, key: OrderKey, place: Place, vault: Vault | None) -> bytes | None:
    """What was kept, None without the key that opens it."""
    body = session.value("payload_sealed", key=key, store_id=place.store_id, order_id=place.order_id)
    return None if body is None or vault is None else vault.open(key, place, body)


def sealed(vault: Vault, key: OrderKey, place: Place, body: bytes) -> Row:
    """A row of the table."""
    return key, place.store_id, place.order_id, vault.seal(key, place, body)


def refuse_unsealed(settlements: Sequence[Settlement | Venture], vault: Vault | None) -> None:
    """Raises ValueError when a payload is given to a store that can't seal it."""
    if vault is None and any(settlement.payload is not None for settlement in settlements):
        raise ValueError("a payload was given to a checkpoint store that has no vault")
