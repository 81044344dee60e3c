"""The checkpoint store in an SQLite file: each method is one transaction on the owner thread.

What others rely on is durable when the method returns: `arrive`, `take`, `venture`, `enroll`, `resolved`, `note`,
`recover`, `adopt`, `rebind`, `doubt_parked`, `approve_endpoints`, `retire_all`, `retire`, `take_over`, `open_hold`,
`mark_hold`, `release`. The rest survives a kill, and a power cut once anything durable was written after it.
"""

from __future__ import annotations

import contextlib
import os
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Final

import apsw

from connector.checkpoints import (
    accepted,
    endpoints,
    former,
    holds,
    ledger,
    letters,
    membership,
    payloads,
    progress,
    suspicions,
    walks,
)
from connector.checkpoints import line_items as line_items_sql
from connector.checkpoints.file import open_writer
from connector.checkpoints.readonly import ReadOnlyCheckpoints
from connector.checkpoints.thread import OwnerThread
from connector.checkpoints.vault import Vault
from connector.model.orders import Members, OrderKey, Place
from connector.pipeline.ports.entries import Arrival, Commit, Entry, Lane, PendingLookup
from connector.pipeline.ports.holds import Hold, HoldKind, HoldState
from connector.pipeline.ports.records import Rebinding, Settlement, Sweep, Venture

__all__ = ["ReadOnlyCheckpoints", "SqliteCheckpoints"]

_ADOPT_STEP: Final = 10_000
"""Checkpoints given a store in one transaction."""
_HASTEN_STEP: Final = 10_000
"""Entries hastened in one transaction (about 50 ms), so that other calls come in between."""
_FORGET_STEP: Final = 2_000
"""Members removed in one transaction (about 5 ms)."""


class SqliteCheckpoints(ReadOnlyCheckpoints):
    """`pipeline.ports.store.CheckpointStore` in a file. Only one process may hold it."""

    def __init__(self, path: Path, vault: Vault | None = None, clock: Callable[[], float] = time.time) -> None:
        connection, lock = open_writer(path)
        self._lock: int | None = lock
        self._vault = vault
        self._clock = clock
        self._thread = OwnerThread(connection, path)

    async def arrive(self, arrivals: Sequence[Arrival], commits: Sequence[Commit], sweep: Sweep | None = None) -> None:
        def work(connection: apsw.Connection) -> None:
            ledger.arrive(connection, arrivals)
            walks.arrive(connection, arrivals)
            progress.add_unseen(connection, commits)
            if sweep is not None:
                progress.save_sweep(connection, sweep)
            progress.reach(connection, (arrival.revision for arrival in arrivals))
            progress.reach(connection, (commit.revision for commit in commits))

        await self._thread.write(work, durable=True)

    async def take(
        self, limit: int, now: float, busy: frozenset[OrderKey], lanes: Sequence[Lane], *, failing: bool = False
    ) -> list[Entry]:
        def work(connection: apsw.Connection) -> list[Entry]:
            entries = (ledger.failing if failing else ledger.due)(connection, limit, now, busy, lanes)
            ledger.mark(connection, entries)
            return entries

        return await self._thread.write(work, durable=True)

    async def settle(self, settlements: Sequence[Settlement]) -> None:
        payloads.refuse_unsealed(settlements, self._vault)

        def work(connection: apsw.Connection) -> None:
            ledger.settle(connection, settlements)
            accepted.settle(connection, settlements)
            letters.settle(connection, settlements)
            displaced = accepted.displaced(connection, settlements)
            accepted.settle(connection, displaced)
            with_displaced = [*settlements, *displaced]
            membership.settle(connection, with_displaced)
            line_items_sql.settle(connection, with_displaced)
            payloads.settle(connection, with_displaced, self._vault)
            holds.settle(connection, settlements)
            suspicions.settle(connection, settlements, self._clock())

        await self._thread.write(work, durable=False)

    async def venture(self, ventures: Sequence[Venture]) -> None:
        payloads.refuse_unsealed(ventures, self._vault)

        def work(connection: apsw.Connection) -> None:
            accepted.venture(connection, ventures)
            payloads.venture(connection, ventures, self._vault)

        await self._thread.write(work, durable=True)

    async def hasten(self, most_attempts: int | None = None) -> None:
        # The last step is the first that isn't full: what fails again meanwhile backs off anew.
        hastened = _HASTEN_STEP
        while hastened == _HASTEN_STEP:
            hastened = await self._thread.write(
                lambda connection: ledger.hasten(connection, _HASTEN_STEP, most_attempts), durable=False
            )

    async def owners(self, places: Sequence[Place]) -> Mapping[Place, tuple[OrderKey, ...]]:
        return await self._thread.read(lambda connection: accepted.owners(connection, places))

    async def line_item_owners(self, line_items: Sequence[int]) -> Mapping[int, tuple[OrderKey, ...]]:
        return await self._thread.read(lambda connection: line_items_sql.owners(connection, line_items))

    async def adopt(self, store_id: str) -> None:
        adopted = _ADOPT_STEP if store_id else 0
        while adopted == _ADOPT_STEP:
            adopted = await self._thread.write(
                lambda connection: accepted.adopt(connection, store_id, _ADOPT_STEP), durable=True
            )

    async def rebind(self, rebinding: Rebinding) -> None:
        with self.heartbeat.allowing(endpoints.LONGEST):
            await self._thread.write(lambda connection: endpoints.rebind(connection, rebinding), durable=True)

    async def doubt_parked(self) -> None:
        with self.heartbeat.allowing(endpoints.LONGEST):
            await self._thread.write(endpoints.doubt, durable=True)

    async def approve_endpoints(self) -> None:
        await self._thread.write(endpoints.approve, durable=True)

    async def open_hold(self, kind: HoldKind, cause: str, now: float) -> Hold:
        return await self._thread.write(lambda connection: holds.open_hold(connection, kind, cause, now), durable=True)

    async def mark_hold(self, number: int, state: HoldState) -> None:
        await self._thread.write(lambda connection: holds.mark(connection, number, state), durable=True)

    async def release(self, number: int, arrival: Arrival, limit: int) -> int:
        def work(connection: apsw.Connection) -> int:
            progress.reach(connection, [arrival.revision])
            return holds.release(connection, number, arrival, limit)

        return await self._thread.write(work, durable=True)

    async def take_lookups(self, limit: int, *, wide: bool) -> list[PendingLookup]:
        return await self._thread.read(lambda connection: walks.oldest(connection, limit, begun=wide))

    async def enroll(self, members: Mapping[OrderKey, Members]) -> None:
        # A transaction that wrote nothing costs no sync.
        await self._thread.write(lambda connection: membership.enroll(connection, members), durable=True)

    async def enrolled(self, index: str, rows: Sequence[str], after: OrderKey | None, limit: int) -> list[OrderKey]:
        return await self._thread.read(lambda connection: membership.enrolled(connection, index, rows, after, limit))

    async def forget_indexes(self, keep: frozenset[str]) -> None:
        await self._thread.write(lambda connection: membership.retire(connection, keep), durable=True)
        while await self._thread.write(
            lambda connection: membership.sweep_retired(connection, _FORGET_STEP), durable=False
        ):
            pass

    async def resolved(self, lookups: Sequence[PendingLookup], arrival: Arrival | None, cursor: str | None) -> None:
        def work(connection: apsw.Connection) -> None:
            walks.resolved(connection, lookups, cursor)
            if arrival is not None:
                ledger.arrive(connection, [arrival])
                walks.arrive(connection, [arrival])
                progress.reach(connection, [arrival.revision])

        await self._thread.write(work, durable=True)

    async def unseen(self) -> list[Commit]:
        return await self._thread.read(progress.unseen)

    async def seen(self, revisions: Sequence[int]) -> None:
        await self._thread.write(lambda connection: progress.forget_unseen(connection, revisions), durable=False)

    async def save_sweep(self, sweep: Sweep) -> None:
        await self._thread.write(lambda connection: progress.save_sweep(connection, sweep), durable=False)

    async def page_checkpoints(self, after: OrderKey | None, limit: int) -> list[OrderKey]:
        return await self._thread.read(lambda connection: accepted.page_keys(connection, after, limit))

    async def late_until(self) -> float | None:
        return await self._thread.read(former.late_until)

    async def retire_all(self, shape: int) -> None:
        await self._thread.write(lambda connection: former.begin(connection, self._clock()), durable=True)
        while await self._thread.write(lambda connection: former.retire_some(connection, shape), durable=True):
            pass

        def work(connection: apsw.Connection) -> None:
            former.forget_waiting(connection)
            membership.retire(connection, ())

        await self._thread.write(work, durable=True)

    async def retire(self, keys: Sequence[OrderKey], shape: int) -> None:
        await self._thread.write(lambda connection: former.retire(connection, keys, shape, self._clock()), durable=True)

    async def take_over(self, claims: Mapping[OrderKey, Place], busy: frozenset[OrderKey]) -> frozenset[OrderKey]:
        return await self._thread.write(
            lambda connection: former.take_over(connection, claims, busy, self._vault), durable=True
        )

    async def recover(self, *, late_until: float | None = None) -> int:
        def work(connection: apsw.Connection) -> int:
            ledger.confirm_in_flight(connection, late_until)
            return progress.highest_revision(connection)

        return await self._thread.write(work, durable=True)

    async def note(self, name: str, value: str) -> None:
        await self._thread.write(lambda connection: progress.note(connection, name, value), durable=True)

    async def next_due(self, busy: frozenset[OrderKey], *, failing: bool = False) -> float | None:
        return await self._thread.read(lambda connection: ledger.next_due(connection, busy, failed=failing))

    async def close(self) -> None:
        """Finish what was asked, write the WAL into the file, let go of the lock."""
        lock, self._lock = self._lock, None
        try:
            await self._thread.close(_empty_wal)
        finally:
            if lock is not None:
                os.close(lock)


def _empty_wal(connection: apsw.Connection) -> None:
    # Where that fails (a full disk) nothing is lost: the WAL stays beside the file, and the next opening reads it.
    with contextlib.suppress(apsw.Error):
        connection.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchall()
