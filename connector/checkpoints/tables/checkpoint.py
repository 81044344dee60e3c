"""What Redo accepted: checkpoints, places at which it may hold an order beside them, and sealed payloads of both.

It must not know the ledger.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any, TypeAlias

from connector.checkpoints.engine import Session
from connector.checkpoints.vault import Vault
from connector.model.orders import OrderKey, Place
from connector.pipeline.ports.entries import Entry, Lane
from connector.pipeline.ports.records import UNKNOWN, Checkpoint, Settlement, Venture

Payload: TypeAlias = tuple[OrderKey, str, str, bytes]
"""Order, store, order id, sealed body."""


def settle(session: Session, settlements: Sequence[Settlement]) -> None:
    """Store what was accepted, and where else Redo may hold it."""
    session.run_rows("checkpoint_put", [_row(one.checkpoint) for one in settlements if one.checkpoint is not None])
    if forgotten := [one.entry.key for one in settlements if one.forget]:
        session.run("checkpoint_forget", keys=forgotten)
    settled = [row for one in settlements for row in _rows(one.entry.key, one.settled_places)]
    session.run_rows("leftover_remove", settled)
    session.run_rows("leftover_add", [row for one in settlements for row in _rows(one.entry.key, one.leftovers)])


def venture(session: Session, ventures: Sequence[Venture], vault: Vault | None) -> None:
    """Store where else Redo may hold orders from now on; of payloads, what is there already stays."""
    session.run_rows("leftover_add", [(one.key, one.place.store_id, one.place.order_id) for one in ventures])
    if vault is not None:
        kept = [sealed(vault, one.key, one.place, one.payload) for one in ventures if one.payload is not None]
        session.run_rows("payload_add", kept)


def of_keys(session: Session, keys: Iterable[OrderKey]) -> Mapping[OrderKey, Checkpoint]:
    """The checkpoints of some orders."""
    return by_key(session.rows("checkpoint_of", keys=[*keys]))


def by_key(rows: Iterable[Sequence[Any]]) -> Mapping[OrderKey, Checkpoint]:
    """Rows of the table as records."""
    return {row[0]: _checkpoint(row) for row in rows}


def row_digests(session: Session, keys: Iterable[OrderKey]) -> Mapping[OrderKey, bytes]:
    """Of orders of which nothing else is remembered than that Redo holds them."""
    return dict(session.rows("checkpoint_settled", unknown=UNKNOWN, keys=[*keys]))


def leftovers(rows: Iterable[tuple[OrderKey, str, str]]) -> Mapping[OrderKey, tuple[Place, ...]]:
    """Where else Redo may hold some orders, in the order of the places."""
    found: dict[OrderKey, tuple[Place, ...]] = {}
    for key, store_id, order_id in sorted(rows):
        found[key] = (*found.get(key, ()), Place(store_id, order_id))
    return found


def owners(session: Session, places: Sequence[Place]) -> Mapping[Place, tuple[OrderKey, ...]]:
    """The keys that hold each place, the smallest two."""
    wanted, found = frozenset(places), dict[Place, tuple[OrderKey, ...]]()
    order_ids = sorted({place.order_id for place in wanted})
    for store_id, order_id, key in session.rows("checkpoint_owners", order_ids=order_ids):
        place = Place(store_id, order_id)
        if place in wanted:
            found[place] = tuple(sorted((*found.get(place, ()), key))[:2])
    return found


def of_order_ids(session: Session, order_ids: Sequence[str]) -> Mapping[str, tuple[OrderKey, ...]]:
    """The keys of orders known by each id at Redo, in key order; none for an id that nothing is known of."""
    found: dict[str, tuple[OrderKey, ...]] = {}
    for order_id, key in sorted(session.rows("orders_of_ids", order_ids=[*order_ids])):
        found[order_id] = (*found.get(order_id, ()), key)
    return found


def displaced(session: Session, settlements: Sequence[Settlement]) -> list[Settlement]:
    """After these were stored: settlements that forget who had the places before."""
    gone = []
    for settlement in settlements:
        if settlement.displaces and settlement.checkpoint is not None:
            there = of_keys(session, settlement.displaces).values()
            gone += [_forgetting(one.key) for one in there if one.place == settlement.checkpoint.place]
    return gone


def settle_payloads(session: Session, settlements: Sequence[Settlement], vault: Vault | None) -> None:
    """Seal and store what was accepted; drop what no longer has a place, once checkpoints and leftovers are written."""
    if vault is not None:
        kept = [
            sealed(vault, one.entry.key, place, one.payload)
            for one in settlements
            if one.payload is not None and (place := one.payload_place) is not None
        ]
        session.run_rows("payload_put", kept)
    moved = [one.entry.key for one in settlements if one.checkpoint is not None or one.forget or one.settled_places]
    if moved:
        session.run("payload_drop_strays", keys=moved)


def payload(session: Session, key: OrderKey, place: Place, vault: Vault | None) -> bytes | None:
    """What was kept, None without the key that opens it."""
    body = session.value("payload_sealed", key=key, store_id=place.store_id, order_id=place.order_id)
    return None if body is None or vault is None else vault.open(key, place, body)


def sealed(vault: Vault, key: OrderKey, place: Place, body: bytes) -> Payload:
    """A row of the table."""
    return key, place.store_id, place.order_id, vault.seal(key, place, body)


def refuse_unsealed(settlements: Sequence[Settlement | Venture], vault: Vault | None) -> None:
    """Raises ValueError when a payload is given to a store that can't seal it."""
    if vault is None and any(settlement.payload is not None for settlement in settlements):
        raise ValueError("a payload was given to a checkpoint store that has no vault")


def _forgetting(key: OrderKey) -> Settlement:
    """An order that Redo holds no longer; its ledger entry, if any, is another matter."""
    return Settlement(Entry(key, 0, 0, 0.0, Lane.LIVE, 0, False), members={}, forget=True)


def _row(checkpoint: Checkpoint) -> tuple[Any, ...]:
    """As the table and the record have it."""
    c = checkpoint
    accepted = (c.key, c.order_id, c.fingerprint, c.accepted_at, c.redo_id, c.missing)
    return *accepted, c.digest, c.store_id, c.traits, c.row_digest


def _checkpoint(row: Sequence[Any]) -> Checkpoint:
    key, order_id, fingerprint, accepted_at, redo_id, missing, *more = row
    return Checkpoint(key, order_id, fingerprint, accepted_at, redo_id, bool(missing), *more)


def _rows(key: OrderKey, places: Sequence[Place]) -> Iterable[tuple[OrderKey, str, str]]:
    return ((key, place.store_id, place.order_id) for place in places)
