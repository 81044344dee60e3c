"""What Redo accepted, in the store in memory: checkpoints, leftovers, payloads and line items."""

from __future__ import annotations

import heapq
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace

from connector.checkpoints.vault import Vault
from connector.model.orders import OrderKey, Place, is_former
from connector.pipeline.ports.records import Checkpoint, Settlement, Venture


class AcceptedRows:
    """The same answers as the SQL of `accepted`, `payloads` and `line_items`."""

    def __init__(self, vault: Vault | None) -> None:
        self._vault = vault
        self.checkpoints: dict[OrderKey, Checkpoint] = {}
        self._leftovers: dict[OrderKey, set[Place]] = {}
        self._payloads: dict[OrderKey, dict[Place, bytes]] = {}
        self._line_items: dict[OrderKey, frozenset[int]] = {}

    def settle(self, settlement: Settlement) -> None:
        key, checkpoint = settlement.entry.key, settlement.checkpoint
        if checkpoint is not None:
            self.checkpoints[checkpoint.key] = checkpoint
        place = settlement.payload_place
        if settlement.payload is not None and place is not None and self._vault is not None:
            self._payloads.setdefault(key, {})[place] = self._vault.seal(key, place, settlement.payload)
        if settlement.line_items is not None:
            self._line_items[key] = settlement.line_items
        if settlement.forget:
            self.checkpoints.pop(key, None)
            self._line_items.pop(key, None)
        if settlement.leftovers or settlement.settled_places:
            there = self._leftovers.get(key, set()).difference(settlement.settled_places)
            self._leftovers[key] = there.union(settlement.leftovers)
        if checkpoint is not None or settlement.forget or settlement.settled_places:
            self._drop_strays(key)

    def venture(self, venture: Venture) -> None:
        key, place = venture.key, venture.place
        self._leftovers.setdefault(key, set()).add(place)
        if venture.payload is not None and self._vault is not None:
            self._payloads.setdefault(key, {}).setdefault(place, self._vault.seal(key, place, venture.payload))

    def _drop_strays(self, key: OrderKey) -> None:
        places = set(self._leftovers.get(key, ()))
        if key in self.checkpoints:
            places.add(self.checkpoints[key].place)
        kept = {place: sealed for place, sealed in self._payloads.pop(key, {}).items() if place in places}
        if kept:
            self._payloads[key] = kept

    def leftovers(self, keys: Iterable[OrderKey]) -> Mapping[OrderKey, tuple[Place, ...]]:
        found = {key: self._leftovers.get(key, set()) for key in keys}
        return {key: _in_order(places) for key, places in found.items() if places}

    def payload(self, key: OrderKey, place: Place) -> bytes | None:
        sealed = self._payloads.get(key, {}).get(place)
        return None if sealed is None or self._vault is None else self._vault.open(key, place, sealed)

    def owners(self, places: Sequence[Place]) -> Mapping[Place, tuple[OrderKey, ...]]:
        wanted, found = frozenset(places), dict[Place, tuple[OrderKey, ...]]()
        for c in self.checkpoints.values():
            if not c.missing and c.place in wanted:
                found[c.place] = tuple(sorted((*found.get(c.place, ()), c.key))[:2])
        return found

    def displaced(self, settlements: Sequence[Settlement]) -> list[OrderKey]:
        return [
            key
            for settlement in settlements
            if (accepted := settlement.checkpoint) is not None
            for key in settlement.displaces
            if key in self.checkpoints and self.checkpoints[key].place == accepted.place
        ]

    def line_item_owners(self, line_items: Sequence[int]) -> Mapping[int, tuple[OrderKey, ...]]:
        found = {
            line: tuple(heapq.nsmallest(2, (key for key, lines in self._line_items.items() if line in lines)))
            for line in line_items
        }
        return {line: keys for line, keys in found.items() if keys}

    def found(self, now: float, keys: Iterable[OrderKey] | None = None) -> None:
        """Leftovers of orders that have no checkpoint (of all, or of some) get one."""
        for key in [*self._leftovers] if keys is None else keys:
            places = _in_order(self._leftovers.get(key, ()))
            if places and key not in self.checkpoints:
                place = min(places, key=lambda place: place.order_id)
                self.checkpoints[key] = Checkpoint(key, place.order_id, b"", now, store_id=place.store_id)

    def rename(self, was: OrderKey, now: OrderKey) -> None:
        """All that is stored of an order is another key's from now on."""
        if was in self.checkpoints:
            self.checkpoints[now] = replace(self.checkpoints.pop(was), key=now)
        if was in self._line_items:
            self._line_items[now] = self._line_items.get(now, frozenset()) | self._line_items.pop(was)
        if was in self._leftovers:
            self._leftovers[now] = self._leftovers.get(now, set()) | self._leftovers.pop(was)
        for place, sealed in self._payloads.pop(was, {}).items():
            body = None if self._vault is None else self._vault.open(was, place, sealed)
            if body is not None and self._vault is not None:
                self._payloads.setdefault(now, {})[place] = self._vault.seal(now, place, body)

    def former_at(self, place: Place) -> list[OrderKey]:
        """Former keys whose checkpoints are there, the likeliest first."""
        there = [one for key, one in self.checkpoints.items() if is_former(key) and one.place == place]
        return [one.key for one in sorted(there, key=lambda one: (one.missing, -one.accepted_at, one.key))]

    def adopt(self, store_id: str) -> None:
        for key, checkpoint in self.checkpoints.items():
            if not checkpoint.store_id:
                self.checkpoints[key] = replace(checkpoint, store_id=store_id)
        for key, places in self._leftovers.items():
            self._leftovers[key] = {Place(place.store_id or store_id, place.order_id) for place in places}

    def another(self) -> AcceptedRows:
        return AcceptedRows(self._vault)

    def orders(self, store_id: str) -> int:
        return sum(c.store_id == store_id and not c.missing for c in self.checkpoints.values())

    def move(self, store_id: str, into: AcceptedRows) -> None:
        """Everything at a store. An order that `into` has at another one is at both from now on."""
        for key in [key for key, c in self.checkpoints.items() if c.store_id == store_id]:
            checkpoint = self.checkpoints.pop(key)
            if into.checkpoints.setdefault(key, checkpoint) is not checkpoint and not checkpoint.missing:
                into._leftovers.setdefault(key, set()).add(checkpoint.place)
            if lines := self._line_items.pop(key, None):
                into._line_items[key] = into._line_items.get(key, frozenset()) | lines
        for key, places in self._leftovers.items():
            there = {place for place in places if place.store_id == store_id}
            places.difference_update(there)
            into._leftovers.setdefault(key, set()).update(there)
        for key, payloads in self._payloads.items():
            for place in [place for place in payloads if place.store_id == store_id]:
                into._payloads.setdefault(key, {})[place] = payloads.pop(place)

    def doubt(self, keys: Iterable[OrderKey]) -> None:
        """What Redo holds of these orders isn't known any more."""
        for key in self.checkpoints.keys() & set(keys):
            self.checkpoints[key] = replace(self.checkpoints[key], fingerprint=b"", digest=b"")

    def remaining(self) -> list[OrderKey]:
        """Orders with leftovers."""
        return [key for key, places in self._leftovers.items() if places]

    def page(self, after: OrderKey | None, limit: int) -> list[OrderKey]:
        keys = (c.key for c in self.checkpoints.values() if not c.missing and c.key > (after or ""))
        return heapq.nsmallest(limit, keys)


def _in_order(places: Iterable[Place]) -> tuple[Place, ...]:
    return tuple(sorted(places, key=lambda place: (place.store_id, place.order_id)))
