"""The reverse index of the store in memory: the same answers as the SQL of `membership`, in sets."""

from __future__ import annotations

import heapq
from collections import defaultdict
from collections.abc import Mapping, Sequence

from connector.model.orders import Members, OrderKey


class MemberSets:
    """Which orders a child row is part of. Paging costs time in proportion to the orders of the asked rows."""

    def __init__(self) -> None:
        self._orders: defaultdict[tuple[str, str], set[OrderKey]] = defaultdict(set)
        self._rows: defaultdict[OrderKey, set[tuple[str, str]]] = defaultdict(set)

    def enroll(self, members: Mapping[OrderKey, Members]) -> None:
        for key, parts in members.items():
            for member in _pairs(parts):
                self._orders[member].add(key)
                self._rows[key].add(member)

    def replace(self, key: OrderKey, parts: Members) -> None:
        """Exactly these rows for the order."""
        self._remove(key, self._rows[key] - _pairs(parts))
        self.enroll({key: parts})

    def enrolled(self, index: str, rows: Sequence[str], after: OrderKey | None, limit: int) -> list[OrderKey]:
        found = {key for row in rows for key in self._orders.get((index, row), ()) if key > (after or "")}
        return heapq.nsmallest(limit, found)

    def keep(self, names: frozenset[str]) -> None:
        """Remove what other names hold."""
        for key in [*self._rows]:
            self._remove(key, {member for member in self._rows[key] if member[0] not in names})

    def _remove(self, key: OrderKey, gone: set[tuple[str, str]]) -> None:
        for member in gone:
            self._orders[member].discard(key)
            if not self._orders[member]:
                del self._orders[member]
        self._rows[key] -= gone
        if not self._rows[key]:
            del self._rows[key]


def _pairs(parts: Members) -> set[tuple[str, str]]:
    return {(name, row) for name, rows in parts.items() for row in rows}
