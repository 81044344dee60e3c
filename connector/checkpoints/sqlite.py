"""The checkpoint store in an SQLite file: each method is one transaction on the owner thread.

What the source's acknowledgement relies on is durable when the method returns: `arrive`, `take`, `enroll`, `resolved`,
`note`, `recover`. The rest survives a kill, and a power cut once anything durable was written after it.
"""

from __future__ import annotations

import contextlib
import os
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Final

import apsw

from connector.checkpoints import accepted, ledger, membership, progress, walks
from connector.checkpoints.file import open_reader, open_writer
from connector.checkpoints.thread import OwnerThread
from connector.orders import Members, OrderKey
from connector.pipeline.ports import (
    Arrival,
    Commit,
    DeadLetter,
    Entry,
    Known,
    Lane,
    PendingLookup,
    Settlement,
    Sweep,
    Tally,
)

_HASTEN_STEP: Final = 10_000
"""Entries hastened in one transaction (about 50 ms), so that other calls come in between."""
_FORGET_STEP: Final = 2_000
"""Members removed in one transaction (about 5 ms)."""


class ReadOnlyCheckpoints:
    """Looks into a checkpoint file, beside a running connector or without one. Raises CheckpointsUnwritable."""

    def __init__(self, path: Path) -> None:
        self._thread = OwnerThread(open_reader(path), path)

    async def tally(self) -> Tally:
        return await self._thread.read(progress.tally)

    async def sweep(self) -> Sweep | None:
        return await self._thread.read(progress.sweep)

    async def dead_letters(self, after: OrderKey | None, limit: int) -> list[DeadLetter]:
        return await self._thread.read(lambda connection: accepted.page_letters(connection, after, limit))

    async def noted(self, name: str) -> str | None:
        return await self._thread.read(lambda connection: progress.noted(connection, name))

    async def known(self, keys: Sequence[OrderKey]) -> Known:
        return await self._thread.read(lambda connection: accepted.known(connection, keys))

    async def close(self) -> None:
        await self._thread.close(lambda _: None)


class SqliteCheckpoints(ReadOnlyCheckpoints):
    """`pipeline.ports.Memory` in a file. Only one process may hold it."""

    def __init__(self, path: Path) -> None:
        connection, lock = open_writer(path)
        self._lock: int | None = lock
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

    async def take(self, limit: int, now: float, busy: frozenset[OrderKey], lanes: Sequence[Lane]) -> list[Entry]:
        def work(connection: apsw.Connection) -> list[Entry]:
            entries = ledger.due(connection, limit, now, busy, lanes)
            ledger.mark(connection, entries)
            return entries

        return await self._thread.write(work, durable=True)

    async def settle(self, settlements: Sequence[Settlement]) -> None:
        def work(connection: apsw.Connection) -> None:
            ledger.settle(connection, settlements)
            accepted.settle(connection, settlements)
            membership.settle(connection, settlements)

        await self._thread.write(work, durable=False)

    async def hasten(self) -> None:
        # The last step is the first that isn't full: what fails again meanwhile backs off anew.
        hastened = _HASTEN_STEP
        while hastened == _HASTEN_STEP:
            hastened = await self._thread.write(
                lambda connection: ledger.hasten(connection, _HASTEN_STEP), durable=False
            )

    async def owners(self, order_ids: Sequence[str]) -> Mapping[str, OrderKey]:
        return await self._thread.read(lambda connection: accepted.owners(connection, order_ids))

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

    async def recover(self) -> int:
        def work(connection: apsw.Connection) -> int:
            ledger.confirm_in_flight(connection)
            return progress.highest_revision(connection)

        return await self._thread.write(work, durable=True)

    async def note(self, name: str, value: str) -> None:
        await self._thread.write(lambda connection: progress.note(connection, name, value), durable=True)

    async def next_due(self, busy: frozenset[OrderKey]) -> float | None:
        return await self._thread.read(lambda connection: ledger.next_due(connection, busy))

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
