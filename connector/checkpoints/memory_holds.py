"""The holds of the store in memory: the same answers as the SQL of `holds`, in dictionaries."""

from __future__ import annotations

import heapq
from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import replace

from connector.checkpoints.holds import KEPT, spread
from connector.checkpoints.memory_ledger import LedgerRows
from connector.model.orders import OrderKey
from connector.pipeline.ports.entries import Arrival
from connector.pipeline.ports.holds import Held, Hold, HoldKind, HoldState, HoldSummary
from connector.pipeline.ports.records import Settlement


class HoldRows:
    """`_over`: numbers of holds that are over, which what was on its way into them opens again."""

    def __init__(self) -> None:
        self._holds: dict[int, Hold] = {}
        self._over: set[int] = set()
        self._held: dict[OrderKey, Held] = {}
        self._last = 0

    def open(self, kind: HoldKind, cause: str, now: float) -> Hold:
        self._last += 1
        self._holds[self._last] = Hold(self._last, kind, cause, HoldState.GATHERING, now)
        for number in [number for number in self._over if number <= self._last - KEPT]:
            self._over.remove(number)
            del self._holds[number]
        return self._holds[self._last]

    def all(self) -> list[Hold]:
        orders = Counter(held.hold for held in self._held.values())
        return [
            replace(hold, orders=orders[number]) for number, hold in self._holds.items() if number not in self._over
        ]

    def mark(self, number: int, state: HoldState) -> None:
        if number in self._holds and number not in self._over:
            self._holds[number] = replace(self._holds[number], state=state)
            self._end(number, released=False)

    def settle(self, settlement: Settlement) -> None:
        key, held = settlement.entry.key, settlement.held
        if held is not None:
            if held.hold not in self._holds:
                raise ValueError(f"there is no hold {held.hold}")
            before = self._held.get(key)
            self._over.discard(held.hold)
            self._held[key] = held if before is None else _joined(before, held)
            if before is not None:
                self._end(before.hold, released=False)
        elif settlement.again is None and (gone := self._held.pop(key, None)):
            self._end(gone.hold, released=False)

    def forget(self, key: OrderKey | None = None) -> None:
        """The order, or all, out of its hold."""
        for one in [*self._held] if key is None else [key]:
            if gone := self._held.pop(one, None):
                self._end(gone.hold, released=False)

    def summarise(self, number: int, samples: int) -> HoldSummary | None:
        hold = next((hold for hold in self.all() if hold.number == number), None)
        if hold is None:
            return None
        fields = Counter(name for held in self._held.values() if held.hold == number for name in set(held.fields))
        return HoldSummary(hold, dict(fields), tuple(self._first(number, samples)))

    def release(self, number: int, arrival: Arrival, limit: int, ledger: LedgerRows) -> int:
        keys = self._first(number, limit)
        for key in keys:
            held = self._held.pop(key)
            ledger.put_back(arrival, key, held.since, confirm=held.confirm)
        self._end(number, released=True)
        return len(keys)

    def end_all(self) -> list[tuple[OrderKey, Held]]:
        """Returns the orders of which Redo may hold something else."""
        doubtful = [(key, held) for key, held in self._held.items() if held.confirm]
        self._held.clear()
        self._over.update(self._holds)
        return doubtful

    def doubtful(self) -> set[OrderKey]:
        return {key for key, held in self._held.items() if held.confirm}

    def of_keys(self, keys: Iterable[OrderKey]) -> Mapping[OrderKey, Held]:
        return {key: self._held[key] for key in keys if key in self._held}

    def moments(self) -> list[float]:
        """Since when each order of those that are gathering waits."""
        gathering = {hold.number for hold in self.all() if hold.state is HoldState.GATHERING}
        return [held.since for held in self._held.values() if held.hold in gathering]

    def _first(self, number: int, limit: int) -> list[OrderKey]:
        return heapq.nsmallest(limit, (key for key, held in self._held.items() if held.hold == number), key=spread)

    def _end(self, number: int, *, released: bool) -> None:
        hold = self._holds.get(number)
        empty = all(held.hold != number for held in self._held.values())
        if hold is not None and empty and (released or hold.state is HoldState.HELD):
            self._over.add(number)


def _joined(before: Held, held: Held) -> Held:
    return replace(held, since=min(before.since, held.since), confirm=before.confirm or held.confirm)
