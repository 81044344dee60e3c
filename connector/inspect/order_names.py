"""Which order a person means by a name: its key in the OMS, or its id at Redo, as far as the store knows ids."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Protocol

from connector.inspect.store import store_if_any
from connector.model.errors import Problem
from connector.model.orders import OrderKey, order_id_of
from connector.pipeline.ports.records import Known
from connector.settings.config import Settings


class KnownOrders(Protocol):
    """The part of the store that is asked."""

    async def known(self, keys: Sequence[OrderKey]) -> Known: ...

    async def keys_of(self, order_ids: Sequence[str]) -> Mapping[str, tuple[OrderKey, ...]]: ...


async def orders_named(store: KnownOrders | None, names: Sequence[str]) -> dict[str, tuple[OrderKey, ...]]:
    """For each name the keys of the orders that it may mean, the one whose key it is first. A name that the store
    doesn't know is taken for a key, which only the mapping can tell."""
    if store is None:
        return {name: (OrderKey(name),) for name in names}
    known, of_ids = await store.known([OrderKey(name) for name in names]), await store.keys_of(names)
    keys = known.checkpoints.keys() | known.dead_letters.keys() | known.held.keys() | known.leftovers.keys()
    meant = {}
    for name in names:
        by_id = tuple(key for key in of_ids.get(name, ()) if key != name)
        itself = (OrderKey(name),) if name in keys or not by_id else ()
        meant[name] = (*itself, *by_id)
    return meant


async def keys_meant(settings: Settings, names: Sequence[str]) -> list[OrderKey]:
    """Every order that one of the names may mean."""
    async with store_if_any(settings) as store:
        meant = await orders_named(store, names)
    return [*dict.fromkeys(key for name in names for key in meant[name])]


def order_ids(known: Known) -> dict[OrderKey, str]:
    """By which ids at Redo these orders are known: as they were accepted, else as they were refused or held."""
    found = {key: one.order_id for key, one in known.held.items() if one.order_id}
    found |= {key: one.order_id for key, one in known.dead_letters.items() if one.order_id}
    return found | {key: one.order_id for key, one in known.checkpoints.items()}


def ambiguous(name: str, meant: Sequence[OrderKey], ids: Mapping[OrderKey, str], hint: str) -> Problem:
    """What to say where a name means several orders. `hint`: how to say which."""
    shown = {key: order_id_of(ids.get(key)) or "not known" for key in meant}
    orders = " and ".join(f"the order with key {key} (Redo's id: {order_id})" for key, order_id in shown.items())
    return Problem(f"this name means {orders}", hint, name)
