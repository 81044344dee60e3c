"""What Redo accepted: checkpoints, and places at which it may hold an order beside them.

It must not know the ledger.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any, Final

from connector.checkpoints.engine import Session
from connector.model.orders import OrderKey, Place
from connector.pipeline.ports.entries import Entry, Lane
from connector.pipeline.ports.records import Checkpoint, Settlement, Venture

UNKNOWN: Final = b""
"""The fingerprint and digest of what isn't known."""


def settle(session: Session, settlements: Sequence[Settlement]) -> None:
    """Store what was accepted, and where else Redo may hold it."""
    accepted = [
        (c.key, c.order_id, c.fingerprint, c.accepted_at, c.redo_id, c.missing, c.digest, c.store_id, c.traits)
        for c in (one.checkpoint for one in settlements)
        if c is not None
    ]
    session.run_rows("checkpoint_accept", accepted)
    if forgotten := [one.entry.key for one in settlements if one.forget]:
        session.run("checkpoint_forget", keys=forgotten)
    settled = [row for one in settlements for row in _rows(one.entry.key, one.settled_places)]
    session.run_rows("leftover_remove", settled)
    session.run_rows("leftover_add", [row for one in settlements for row in _rows(one.entry.key, one.leftovers)])


def venture(session: Session, ventures: Sequence[Venture]) -> None:
    """Store where else Redo may hold orders from now on."""
    session.run_rows("leftover_add", [(one.key, one.place.store_id, one.place.order_id) for one in ventures])


def of_keys(session: Session, keys: Iterable[OrderKey]) -> Mapping[OrderKey, Checkpoint]:
    """The checkpoints of some orders."""
    return {row[0]: _checkpoint(row) for row in session.rows("checkpoints", keys=[*keys])}


def leftovers(session: Session, keys: Iterable[OrderKey]) -> Mapping[OrderKey, tuple[Place, ...]]:
    """Where else Redo may hold some orders, in the order of the places."""
    found: dict[OrderKey, tuple[Place, ...]] = {}
    for key, store_id, order_id in session.rows("leftovers", keys=[*keys]):
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


def displaced(session: Session, settlements: Sequence[Settlement]) -> list[Settlement]:
    """After these were stored: settlements that forget who had the places before."""
    gone = []
    for settlement in settlements:
        if settlement.displaces and settlement.checkpoint is not None:
            there = of_keys(session, settlement.displaces).values()
            gone += [_forgetting(one.key) for one in there if one.place == settlement.checkpoint.place]
    return gone


def _forgetting(key: OrderKey) -> Settlement:
    """An order that Redo holds no longer; its ledger entry, if any, is another matter."""
    return Settlement(Entry(key, 0, 0, 0.0, Lane.LIVE, 0, False), members={}, forget=True)


def _checkpoint(row: Sequence[Any]) -> Checkpoint:
    key, order_id, fingerprint, accepted_at, redo_id, missing, digest, store_id, traits = row
    return Checkpoint(key, order_id, fingerprint, accepted_at, redo_id, bool(missing), digest, store_id, traits)


def _rows(key: OrderKey, places: Sequence[Place]) -> Iterable[tuple[OrderKey, str, str]]:
    return ((key, place.store_id, place.order_id) for place in places)
