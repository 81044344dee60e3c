"""The checkpoint store in a schema of a Postgres database: each method is one transaction on the owner thread.

A method's transaction is on the server's disk when it returns, a synchronous standby's included where the server has
one. Without that are only `hasten`, `seen`, `save_sweep` and the removal of given up indexes, which lose nothing when
a server crashes. `settle` is not among them, as it is for the SQLite file: there a power cut ends the connector too,
here the connector would go on without noticing what the server lost.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence
from typing import Any, Final, TypeVar

from psycopg import Connection

from connector.checkpoints.address import Address
from connector.checkpoints.endpoints import LONGEST
from connector.checkpoints.payloads import refuse_unsealed
from connector.checkpoints.postgres import (
    accepted,
    endpoints,
    former,
    holds,
    ledger,
    letters,
    line_items,
    membership,
    payloads,
    progress,
    suspicions,
    walks,
)
from connector.checkpoints.postgres.claim import Claim
from connector.checkpoints.postgres.reader import ReadOnlyPostgres
from connector.checkpoints.postgres.session import SessionThread
from connector.checkpoints.vault import Vault
from connector.model.orders import Members, OrderKey, Place
from connector.pipeline.ports.entries import Arrival, Commit, Entry, Lane, PendingLookup
from connector.pipeline.ports.holds import Hold, HoldKind, HoldState
from connector.pipeline.ports.records import Rebinding, Settlement, Sweep, Venture

T = TypeVar("T")

_STEP: Final = 10_000
"""Rows changed in one transaction, so that other calls come in between."""


def _each_key_once(settlements: Sequence[Settlement]) -> list[list[Settlement]]:
    """In parts, since no statement may touch a row twice. There is one part, unless an order is settled twice."""
    parts: list[dict[OrderKey, Settlement]] = [{}]
    for settlement in settlements:
        if settlement.entry.key in parts[-1]:
            parts.append({})
        parts[-1][settlement.entry.key] = settlement
    return [[*part.values()] for part in parts]


class PostgresCheckpoints(ReadOnlyPostgres):
    """`pipeline.ports.store.CheckpointStore` in a schema. Only one process may hold it. What was carried out but
    couldn't be told, because the session was lost, is asked again: each method may be carried out twice."""

    def __init__(self, address: Address, vault: Vault | None = None, clock: Callable[[], float] = time.time) -> None:
        """Raises ConfigurationError when the schema won't do or is in use, and CheckpointsUnwritable."""
        self._claim = Claim(address, clock)
        self._vault = vault
        self._clock = clock
        self._thread = SessionThread(address, self._claim.open)

    async def arrive(self, arrivals: Sequence[Arrival], commits: Sequence[Commit], sweep: Sweep | None = None) -> None:
        def work(connection: Connection[Any]) -> None:
            ledger.arrive(connection, arrivals)
            walks.arrive(connection, arrivals)
            progress.add_unseen(connection, commits)
            if sweep is not None:
                progress.save_sweep(connection, sweep)
            revisions = [arrival.revision for arrival in arrivals] + [commit.revision for commit in commits]
            progress.reach(connection, revisions)

        await self._write(work)

    async def take(
        self, limit: int, now: float, busy: frozenset[OrderKey], lanes: Sequence[Lane], *, failing: bool = False
    ) -> list[Entry]:
        def work(connection: Connection[Any]) -> list[Entry]:
            entries = (ledger.failing if failing else ledger.due)(connection, limit, now, busy, lanes)
            ledger.mark(connection, entries)
            return entries

        return await self._write(work)

    async def settle(self, settlements: Sequence[Settlement]) -> None:
        refuse_unsealed(settlements, self._vault)

        def work(connection: Connection[Any]) -> None:
            for some in _each_key_once(settlements):
                self._settle(connection, some)

        await self._write(work)

    def _settle(self, connection: Connection[Any], settlements: Sequence[Settlement]) -> None:
        ledger.settle(connection, settlements)
        accepted.settle(connection, settlements)
        letters.settle(connection, settlements)
        displaced = accepted.displaced(connection, settlements)
        accepted.settle(connection, displaced)
        with_displaced = [*settlements, *displaced]
        membership.settle(connection, with_displaced)
        line_items.settle(connection, with_displaced)
        payloads.settle(connection, with_displaced, self._vault)
        holds.settle(connection, settlements)
        suspicions.settle(connection, settlements, self._clock())

    async def venture(self, ventures: Sequence[Venture]) -> None:
        refuse_unsealed(ventures, self._vault)

        def work(connection: Connection[Any]) -> None:
            accepted.venture(connection, ventures)
            payloads.venture(connection, ventures, self._vault)

        await self._write(work)

    async def hasten(self, most_attempts: int | None = None) -> None:
        # The last step is the first that isn't full: what fails again meanwhile backs off anew.
        hastened = _STEP
        while hastened == _STEP:
            hastened = await self._thread.write(
                lambda connection: ledger.hasten(connection, _STEP, most_attempts), durable=False
            )

    async def owners(self, places: Sequence[Place]) -> Mapping[Place, tuple[OrderKey, ...]]:
        return await self._thread.read(lambda connection: accepted.owners(connection, places))

    async def line_item_owners(self, line_items_asked: Sequence[int]) -> Mapping[int, tuple[OrderKey, ...]]:
        return await self._thread.read(lambda connection: line_items.owners(connection, line_items_asked))

    async def adopt(self, store_id: str) -> None:
        adopted = _STEP if store_id else 0
        while adopted == _STEP:
            adopted = await self._write(lambda connection: accepted.adopt(connection, store_id, _STEP))

    async def rebind(self, rebinding: Rebinding) -> None:
        with self.heartbeat.allowing(LONGEST):
            await self._write(lambda connection: endpoints.rebind(connection, rebinding))

    async def doubt_parked(self) -> None:
        with self.heartbeat.allowing(LONGEST):
            await self._write(endpoints.doubt)

    async def approve_endpoints(self) -> None:
        await self._write(endpoints.approve)

    async def open_hold(self, kind: HoldKind, cause: str, now: float) -> Hold:
        return await self._write(lambda connection: holds.open_hold(connection, kind, cause, now))

    async def mark_hold(self, number: int, state: HoldState) -> None:
        await self._write(lambda connection: holds.mark(connection, number, state))

    async def release(self, number: int, arrival: Arrival, limit: int) -> int:
        def work(connection: Connection[Any]) -> int:
            progress.reach(connection, [arrival.revision])
            return holds.release(connection, number, arrival, limit)

        return await self._write(work)

    async def take_lookups(self, limit: int, *, wide: bool) -> list[PendingLookup]:
        return await self._thread.read(lambda connection: walks.oldest(connection, limit, begun=wide))

    async def enroll(self, members: Mapping[OrderKey, Members]) -> None:
        # Not counted: a transaction that wrote nothing costs no sync.
        await self._thread.write(lambda connection: membership.enroll(connection, members), durable=True)

    async def enrolled(self, index: str, rows: Sequence[str], after: OrderKey | None, limit: int) -> list[OrderKey]:
        return await self._thread.read(lambda connection: membership.enrolled(connection, index, rows, after, limit))

    async def forget_indexes(self, keep: frozenset[str]) -> None:
        await self._thread.write(lambda connection: membership.retire(connection, keep), durable=True)
        while await self._thread.write(lambda connection: membership.sweep_retired(connection, _STEP), durable=False):
            pass

    async def resolved(self, lookups: Sequence[PendingLookup], arrival: Arrival | None, cursor: str | None) -> None:
        def work(connection: Connection[Any]) -> None:
            walks.resolved(connection, lookups, cursor)
            if arrival is not None:
                ledger.arrive(connection, [arrival])
                walks.arrive(connection, [arrival])
                progress.reach(connection, [arrival.revision])

        await self._write(work)

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
        await self._write(lambda connection: former.begin(connection, self._clock()))
        while await self._write(lambda connection: former.retire_some(connection, shape)):
            pass

        def work(connection: Connection[Any]) -> None:
            former.forget_waiting(connection)
            membership.retire(connection, ())

        await self._write(work)

    async def retire(self, keys: Sequence[OrderKey], shape: int) -> None:
        await self._write(lambda connection: former.retire(connection, keys, shape, self._clock()))

    async def take_over(self, claims: Mapping[OrderKey, Place], busy: frozenset[OrderKey]) -> frozenset[OrderKey]:
        return await self._write(lambda connection: former.take_over(connection, claims, busy, self._vault))

    async def recover(self, *, late_until: float | None = None) -> int:
        self._claim.late_for = None if late_until is None else late_until - self._clock()

        def work(connection: Connection[Any]) -> int:
            ledger.confirm_in_flight(connection, late_until)
            return progress.highest_revision(connection)

        return await self._write(work)

    async def note(self, name: str, value: str) -> None:
        await self._write(lambda connection: progress.note(connection, name, value))

    async def next_due(self, busy: frozenset[OrderKey], *, failing: bool = False) -> float | None:
        return await self._thread.read(lambda connection: ledger.next_due(connection, busy, failed=failing))

    async def _write(self, work: Callable[[Connection[Any]], T]) -> T:
        """Durably, and counted, so that a database that lost it is found out."""

        def counted(connection: Connection[Any]) -> T:
            found = work(connection)
            progress.count_write(connection)
            return found

        found = await self._thread.write(counted, durable=True)
        self._claim.writes += 1
        return found
