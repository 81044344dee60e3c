"""What happened to single orders since the connector started: the pipeline's Chronicle, in memory and bounded.

Keys, tables and times only; never a value.
"""

from __future__ import annotations

from collections import OrderedDict, deque
from collections.abc import Sequence
from typing import Final, TypeVar

from connector.model.changes import Changes, Transaction
from connector.model.orders import OrderKey
from connector.pipeline.ports.chronicle import Attempt, SourceChange

ORDERS: Final = 5_000
"""Orders of which something is remembered; the one that was quiet for longest is forgotten first."""
EACH: Final = 5
"""Changes, and attempts, of one order."""
RECENT: Final = 100
"""Attempts of all orders together."""
TRANSACTIONS: Final = 10_000
"""Transactions whose lookups may still be on the way."""

T = TypeVar("T")


class History:
    def __init__(self, orders: int = ORDERS) -> None:
        self._orders = orders
        # Tuples: an empty deque takes 600 bytes.
        self._changes: OrderedDict[OrderKey, tuple[SourceChange, ...]] = OrderedDict()
        self._attempts: OrderedDict[OrderKey, tuple[Attempt, ...]] = OrderedDict()
        self._recent: deque[Attempt] = deque(maxlen=RECENT)
        self._transactions: OrderedDict[int, tuple[SourceChange, ...]] = OrderedDict()

    def committed(
        self, revision: int, transaction: Transaction, affected: Sequence[tuple[Changes, frozenset[OrderKey]]]
    ) -> None:
        indirect: list[SourceChange] = []
        for changes, keys in affected:
            table, operation = str(changes.table), changes.operation.value
            change = SourceChange(table, operation, transaction.commit_lsn, transaction.commit_time)
            for key in keys:
                self._add(self._changes, key, change)
            if not keys:
                indirect.append(change)
        if indirect:
            self._transactions[revision] = tuple(indirect)
            if len(self._transactions) > TRANSACTIONS:
                self._transactions.popitem(last=False)

    def found(self, revisions: Sequence[int], keys: Sequence[OrderKey]) -> None:
        """Which of several commits led to which order isn't known: the latest one is named, as one of them."""
        newest = max(revisions)
        changes = self._transactions.get(newest, ())
        exact = len(set(revisions)) == 1 and len(changes) == 1
        for one in changes:
            change = SourceChange(one.table, one.operation, one.commit_lsn, one.commit_time, exact)
            for key in keys:
                self._add(self._changes, key, change)

    def attempted(self, attempt: Attempt) -> None:
        self._recent.append(attempt)
        self._add(self._attempts, attempt.key, attempt)

    def recent(self, limit: int) -> tuple[Attempt, ...]:
        """Of all orders, the latest first."""
        return tuple(reversed(self._recent))[:limit]

    def changes_of(self, key: OrderKey) -> tuple[SourceChange, ...]:
        """The latest first."""
        return tuple(reversed(self._changes.get(key, ())))

    def attempts_of(self, key: OrderKey) -> tuple[Attempt, ...]:
        """The latest first."""
        return tuple(reversed(self._attempts.get(key, ())))

    def _add(self, kept: OrderedDict[OrderKey, tuple[T, ...]], key: OrderKey, one: T) -> None:
        kept[key] = (*kept.get(key, ())[1 - EACH :], one)
        kept.move_to_end(key)
        if len(kept) > self._orders:
            kept.popitem(last=False)
