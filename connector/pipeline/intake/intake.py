"""Transactions in, affected orders durably in the ledger, then the slot may move.

This is the only place that acknowledges. It must not know what is done about an affected order, or when.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, AsyncIterator, Callable, Sequence

from connector.model.changes import Lsn, Operation, Transaction
from connector.model.orders import Affected, OrderKey
from connector.pipeline.failpoints import reach
from connector.pipeline.heartbeat import Heartbeat
from connector.pipeline.holds.vanished_rows import VanishedRows
from connector.pipeline.intake.progress import Progress
from connector.pipeline.ports.entries import Arrival, Commit, Lane
from connector.pipeline.ports.protocols import Chronicle, Observer, Routes, Source
from connector.pipeline.ports.store import CheckpointStore
from connector.pipeline.read.visibility import Visibility
from connector.pipeline.revisions import Revisions
from connector.pipeline.sweeps.sweep import Sweeper


class Intake:
    """`wake` is told of each batch, and whether lookups came with it."""

    def __init__(
        self,
        source: Source,
        routes: Routes,
        store: CheckpointStore,
        visibility: Visibility,
        progress: Progress,
        sweeper: Sweeper,
        vanished_rows: VanishedRows,
        revisions: Revisions,
        observer: Observer,
        chronicle: Chronicle,
        wake: Callable[[bool], None],
    ) -> None:
        self._source = source
        self._routes = routes
        self._store = store
        self._visibility = visibility
        self._progress = progress
        self._sweeper = sweeper
        self._vanished_rows = vanished_rows
        self._revisions = revisions
        self._observer = observer
        self._chronicle = chronicle
        self._wake = wake
        self.heartbeat = Heartbeat("intake", "writing changes to the ledger")
        self._parted: Lsn | None = None
        """Where the transaction commits that came in parts last."""
        self.last_commit_time: float | None = None

    async def follow(self, stop: asyncio.Event) -> None:
        """Until the stream ends or `stop` is set. Raises SourceUnavailable when the source cuts us off, SlotLost when
        its slot can't be read any more."""
        stream = self._source.batches(self._routes.interest, self._progress)
        stopping = asyncio.ensure_future(stop.wait())
        step: asyncio.Future[Sequence[Transaction] | None] | None = None
        try:
            while True:
                step = asyncio.ensure_future(_next(stream))
                await asyncio.wait({step, stopping}, return_when=asyncio.FIRST_COMPLETED)
                if not step.done():
                    return
                batch = step.result()
                if batch is None:
                    return
                with self.heartbeat.working():
                    await self._take_in(batch)
        finally:
            stopping.cancel()
            if step is not None and not step.done():
                step.cancel()
                await asyncio.wait({step})
            if isinstance(stream, AsyncGenerator):
                await stream.aclose()

    async def _take_in(self, batch: Sequence[Transaction]) -> None:
        await self._progress.took_in(batch)
        arrivals, commits, wanted = self._reduce(batch)
        reach("intake.before_ledger")
        if arrivals or wanted is not None:
            self._visibility.arrived(commits)
            if wanted is None:
                await self._store.arrive(arrivals, commits)
            else:
                self._sweeper.asked(*wanted)
                await self._sweeper.save(arrivals, commits)
        reach("intake.after_ledger")
        ended = [transaction.end_lsn for transaction in batch if transaction.end_lsn is not None]
        if ended:
            self._source.acknowledge(ended[-1])
        reach("intake.after_acknowledge")
        self.last_commit_time = batch[-1].commit_time
        self._wake(any(arrival.lookups for arrival in arrivals))

    def _reduce(self, batch: Sequence[Transaction]) -> tuple[list[Arrival], list[Commit], tuple[str, int] | None]:
        arrivals: list[Arrival] = []
        commits: list[Commit] = []
        wanted: tuple[str, int] | None = None
        for transaction in batch:
            self._observer.transaction(transaction.changes, whole=transaction.end_lsn is not None)
            affected = [self._routes.affected(changes) for changes in transaction.changes]
            self._show(transaction, affected)
            keys = frozenset().union(*(one.keys for one in affected))
            lookups = frozenset().union(*(one.lookups for one in affected))
            reasons = [one.sweep for one in affected if one.sweep is not None]
            if not (keys or lookups or reasons):
                continue
            revision = self._revisions.next()
            told = [(changes, one.keys) for changes, one in zip(transaction.changes, affected, strict=True)]
            self._chronicle.committed(revision, transaction, told)
            # A standby that replayed anything past the start of the commit record replayed the commit.
            commits.append(Commit(revision, transaction.xid, transaction.commit_lsn + 1))
            if keys or lookups:
                arrivals.append(Arrival(revision, transaction.commit_time, self._lane(transaction), keys, lookups))
            if reasons:
                wanted = (reasons[0], revision)
        return arrivals, commits, wanted

    def _show(self, transaction: Transaction, affected: Sequence[Affected]) -> None:
        """A row that moves to another partition is a delete and an insert of one transaction."""
        deleted: set[OrderKey] = set()
        written: set[OrderKey] = set()
        for changes, one in zip(transaction.changes, affected, strict=True):
            (deleted if changes.operation is Operation.DELETE else written).update(one.own)
        self._vanished_rows.record_rows(deleted - written, written)

    def _lane(self, transaction: Transaction) -> Lane:
        """A transaction so large that it comes in parts lets single changes overtake it: its orders may take hours."""
        if transaction.end_lsn is None:
            self._parted = transaction.commit_lsn
        return Lane.FANOUT if transaction.commit_lsn == self._parted else Lane.LIVE


async def _next(stream: AsyncIterator[Sequence[Transaction]]) -> Sequence[Transaction] | None:
    """The next batch, None at the stream's end."""
    return await anext(stream, None)
