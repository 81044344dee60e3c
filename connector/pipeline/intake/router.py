"""Transactions become what is to be written to the ledger. It must not know what is done about an affected order."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

from connector.model.changes import Interest, Lsn, Operation, Transaction
from connector.model.orders import Affected, OrderKey
from connector.pipeline.context import Context
from connector.pipeline.holds.vanished_rows import VanishedRows
from connector.pipeline.ports.entries import HANDFUL, Arrival, Commit, Lane
from connector.pipeline.ports.protocols import Routes


@dataclass(slots=True)
class Routed:
    """What a batch of transactions affected. `sweep`: why all orders must be looked at, and the revision from which
    on."""

    arrivals: list[Arrival] = field(default_factory=list)
    commits: list[Commit] = field(default_factory=list)
    sweep: tuple[str, int] | None = None


class Router:
    def __init__(self, context: Context, routes: Routes, vanished_rows: VanishedRows) -> None:
        self._clock = context.clock
        self._observer = context.observer
        self._chronicle = context.chronicle
        self._revisions = context.revisions
        self._routes = routes
        self._vanished_rows = vanished_rows
        self._parted: Lsn | None = None
        """Where the transaction commits that came in parts last."""

    @property
    def interest(self) -> Interest:
        return self._routes.interest

    def route(self, batch: Sequence[Transaction]) -> Routed:
        routed = Routed()
        for transaction in batch:
            self._observer.transaction(transaction.changes, whole=transaction.end_lsn is not None)
            affected = [self._routes.affected(changes) for changes in transaction.changes]
            self._record_rows(transaction, affected)
            keys = frozenset().union(*(one.keys for one in affected))
            lookups = frozenset().union(*(one.lookups for one in affected))
            reasons = [one.sweep for one in affected if one.sweep is not None]
            if not (keys or lookups or reasons):
                continue
            revision = self._revisions.next()
            by_change = [(changes, one.keys) for changes, one in zip(transaction.changes, affected, strict=True)]
            self._chronicle.committed(revision, transaction, by_change)
            # A standby that replayed anything past the start of the commit record replayed the commit.
            routed.commits.append(Commit(revision, transaction.xid, transaction.commit_lsn + 1))
            if keys or lookups:
                lane = self._lane(transaction, len(keys))
                # The server's clock may be ahead of ours, and nothing has waited since a moment to come.
                since = min(transaction.commit_time, self._clock.now())
                routed.arrivals.append(Arrival(revision, since, lane, keys, lookups))
            if reasons:
                routed.sweep = (reasons[0], revision)
        return routed

    def _record_rows(self, transaction: Transaction, affected: Sequence[Affected]) -> None:
        """A row that moves to another partition is a delete and an insert of one transaction."""
        deleted: set[OrderKey] = set()
        written: set[OrderKey] = set()
        for changes, one in zip(transaction.changes, affected, strict=True):
            (deleted if changes.operation is Operation.DELETE else written).update(one.own)
        self._vanished_rows.record_rows(deleted - written, written)

    def _lane(self, transaction: Transaction, orders: int) -> Lane:
        """A transaction of more than a handful of orders lets single changes overtake it. One that comes in parts has
        very many, whatever is in a part: they may take hours."""
        if transaction.end_lsn is None:
            self._parted = transaction.commit_lsn
        many = orders > HANDFUL or transaction.commit_lsn == self._parted
        return Lane.FANOUT if many else Lane.LIVE
