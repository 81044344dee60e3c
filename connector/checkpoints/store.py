"""The checkpoint store: each method is one transaction, or a few for long pieces of work, on whatever engine.

What others rely on is on the disk when a method returns (a synchronous standby's included where the server has one).
Not so `hasten`, `seen`, `save_sweep` and the removal of given up indexes, which lose nothing; nor, in a file, `settle`:
what a power cut undoes of it is confirmed after the next start.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Collection, Mapping, Sequence
from typing import Final

from connector.checkpoints.engine import STEP, Durability, Engine, Session
from connector.checkpoints.tables import (
    checkpoint,
    dead_letters,
    endpoints,
    former_keys,
    holds,
    ledger,
    notes,
    reverse_index,
)
from connector.checkpoints.vault import Vault
from connector.model.orders import Members, OrderKey, Place
from connector.pipeline.ports.entries import Arrival, Commit, PendingLookup, Room
from connector.pipeline.ports.holds import Hold, HoldKind, HoldState, HoldSummary
from connector.pipeline.ports.records import (
    DeadLetter,
    Endpoint,
    Known,
    LetterGroup,
    Rebinding,
    Settlement,
    Sweep,
    Taken,
    Tally,
    Venture,
    Warned,
)

NOTHING_TAKEN: Final = Taken()


class ReadOnlyCheckpoints:
    """The part of `pipeline.ports.store.CheckpointStore` that only reads. Raises CheckpointsUnwritable."""

    def __init__(self, engine: Engine, vault: Vault | None = None) -> None:
        self._engine = engine
        self.heartbeat = engine.heartbeat
        self._vault = vault

    async def tally(self) -> Tally:
        return await self._engine.read(notes.tally)

    async def sweep(self) -> Sweep | None:
        return await self._engine.read(notes.sweep)

    async def sweeps(self, limit: int) -> list[Sweep]:
        return await self._engine.read(lambda session: notes.sweeps(session, limit))

    async def dead_letters(self, after: OrderKey | None, limit: int) -> list[DeadLetter]:
        return await self._engine.read(lambda session: dead_letters.page(session, after, limit))

    async def letter_groups(self) -> list[LetterGroup]:
        return await self._engine.read(dead_letters.groups)

    async def letter_keys(self, group: str | None, after: OrderKey | None, limit: int) -> list[OrderKey]:
        return await self._engine.read(lambda session: dead_letters.keys(session, group, after, limit))

    async def endpoints(self) -> list[Endpoint]:
        return await self._engine.read(endpoints.endpoints)

    async def holds(self) -> list[Hold]:
        return await self._engine.read(holds.holds)

    async def summarise(self, number: int, samples: int) -> HoldSummary | None:
        return await self._engine.read(lambda session: holds.summarise(session, number, samples))

    async def warned(self, limit: int) -> list[Warned]:
        return await self._engine.read(lambda session: notes.warned(session, limit))

    async def noted(self, name: str) -> str | None:
        return await self._engine.read(lambda session: session.value("noted", name=name))

    async def known(self, keys: Sequence[OrderKey]) -> Known:
        return await self._engine.read(lambda session: _known(session, keys))

    async def keys_of(self, order_ids: Sequence[str]) -> Mapping[str, tuple[OrderKey, ...]]:
        return await self._engine.read(lambda session: checkpoint.of_order_ids(session, order_ids))

    async def row_digests(self, keys: Sequence[OrderKey]) -> Mapping[OrderKey, bytes]:
        return await self._engine.read(lambda session: checkpoint.row_digests(session, keys))

    async def payload(self, key: OrderKey, place: Place) -> bytes | None:
        return await self._engine.read(lambda session: checkpoint.payload(session, key, place, self._vault))

    async def random_keys(self, size: int) -> list[OrderKey]:
        """Keys of at most `size` checkpoints that aren't marked missing; each has the same chance. Reads all: a third
        of a second for a million."""
        return await self._engine.read(lambda session: session.column("checkpoint_sample", limit=size))

    async def close(self) -> None:
        await self._engine.close()


class Checkpoints(ReadOnlyCheckpoints):
    """`pipeline.ports.store.CheckpointStore`. Only one process may hold it. With a server, what was carried out but
    couldn't be told, because the session was lost, is asked again: each method may be carried out twice."""

    def __init__(self, engine: Engine, vault: Vault | None = None, clock: Callable[[], float] = time.time) -> None:
        super().__init__(engine, vault)
        self._clock = clock
        self.lease, self.answer = engine.lease, engine.answer
        self._new_warnings = 0

    async def arrive(
        self,
        arrivals: Sequence[Arrival],
        commits: Sequence[Commit],
        sweep: Sweep | None = None,
        room: Room | None = None,
    ) -> Taken:
        def work(session: Session) -> Taken:
            ledger.arrive(session, arrivals)
            notes.add_unseen(session, commits)
            if sweep is not None:
                notes.save_sweep(session, sweep)
            revisions = [arrival.revision for arrival in arrivals] + [commit.revision for commit in commits]
            notes.reach(session, revisions)
            return NOTHING_TAKEN if room is None else _take(session, room)

        return await self._engine.write(work)

    async def take(self, room: Room) -> Taken:
        return await self._engine.write(lambda session: _take(session, room))

    async def settle(self, settlements: Sequence[Settlement], room: Room | None = None) -> Taken | None:
        checkpoint.refuse_unsealed(settlements, self._vault)

        def work(session: Session) -> None:
            for some in _each_key_once(settlements):
                self._settle(session, some)

        if room is None:
            await self._engine.write(work, Durability.SYNCED_ON_SERVERS)
            return NOTHING_TAKEN
        return await self._engine.write_and_try(
            work, Durability.SYNCED_ON_SERVERS, lambda session: _take(session, room)
        )

    def _settle(self, session: Session, settlements: Sequence[Settlement]) -> None:
        ledger.settle(session, settlements)
        checkpoint.settle(session, settlements)
        dead_letters.settle(session, settlements)
        displaced = checkpoint.displaced(session, settlements)
        checkpoint.settle(session, displaced)
        with_displaced = [*settlements, *displaced]
        reverse_index.settle(session, with_displaced)
        reverse_index.settle_line_items(session, with_displaced)
        checkpoint.settle_payloads(session, with_displaced, self._vault)
        holds.settle(session, settlements)
        self._new_warnings += notes.warn(session, with_displaced, self._clock())
        if self._new_warnings >= notes.WARNINGS_STEP:
            notes.forget_oldest_warnings(session)
            self._new_warnings = 0

    async def hasten(self, most_attempts: int | None = None) -> None:
        # The last step is the first that isn't full: what fails again meanwhile backs off anew.
        while await self._engine.write(
            lambda session: ledger.hasten(session, STEP, most_attempts), Durability.UNSYNCED
        ):
            pass

    async def owners(self, places: Sequence[Place]) -> Mapping[Place, tuple[OrderKey, ...]]:
        return await self._engine.read(lambda session: checkpoint.owners(session, places))

    async def line_item_owners(self, line_items: Sequence[int]) -> Mapping[int, tuple[OrderKey, ...]]:
        return await self._engine.read(lambda session: reverse_index.line_item_owners(session, line_items))

    async def rebind(self, rebinding: Rebinding) -> None:
        with self.heartbeat.allowing(endpoints.LONGEST):
            await self._engine.write(lambda session: endpoints.rebind(session, rebinding))

    async def doubt_parked(self) -> None:
        with self.heartbeat.allowing(endpoints.LONGEST):
            await self._engine.write(endpoints.doubt)

    async def approve_endpoints(self) -> None:
        await self._engine.write(lambda session: session.run("endpoint_approve"))

    async def open_hold(self, kind: HoldKind, cause: str, now: float) -> Hold:
        return await self._engine.write(lambda session: holds.open_hold(session, kind, cause, now))

    async def mark_hold(self, number: int, state: HoldState) -> None:
        await self._engine.write(lambda session: session.run("hold_mark", state=state.value, number=number))

    async def release(self, number: int, arrival: Arrival, limit: int) -> int:
        def work(session: Session) -> int:
            notes.reach(session, [arrival.revision])
            return holds.release(session, number, arrival, limit)

        return await self._engine.write(work)

    async def take_lookups(self, limit: int, *, wide: bool, without: Collection[str] = ()) -> list[PendingLookup]:
        return await self._engine.read(
            lambda session: ledger.oldest_lookups(session, limit, begun=wide, without=without)
        )

    async def enroll(self, members: Mapping[OrderKey, Members], ventures: Sequence[Venture] = ()) -> None:
        checkpoint.refuse_unsealed(ventures, self._vault)

        def work(session: Session) -> None:
            reverse_index.enroll(session, members)
            checkpoint.venture(session, ventures, self._vault)

        await self._engine.write(work, Durability.SYNCED if ventures else Durability.SYNCED_IF_WRITTEN)

    async def enrolled(self, index: str, rows: Sequence[str], after: OrderKey | None, limit: int) -> list[OrderKey]:
        return await self._engine.read(lambda session: reverse_index.enrolled(session, index, rows, after, limit))

    async def forget_indexes(self, keep: frozenset[str]) -> None:
        await self._engine.write(
            lambda session: session.run("member_index_retire", keep=[*keep]), Durability.SYNCED_IF_WRITTEN
        )
        while await self._engine.write(
            lambda session: reverse_index.sweep_retired(session, reverse_index.STEP), Durability.UNSYNCED
        ):
            pass

    async def resolved(self, lookups: Sequence[PendingLookup], arrival: Arrival | None, cursor: str | None) -> None:
        def work(session: Session) -> None:
            ledger.resolved(session, lookups, cursor)
            if arrival is not None:
                ledger.arrive(session, [arrival])
                notes.reach(session, [arrival.revision])

        await self._engine.write(work)

    async def unseen(self) -> list[Commit]:
        return await self._engine.read(lambda session: [Commit(*row) for row in session.rows("commits")])

    async def seen(self, revisions: Sequence[int]) -> None:
        await self._engine.write(
            lambda session: session.run("commit_seen", revisions=[*revisions]), Durability.UNSYNCED
        )

    async def save_sweep(self, sweep: Sweep) -> None:
        await self._engine.write(lambda session: notes.save_sweep(session, sweep), Durability.UNSYNCED)

    async def page_checkpoints(self, after: OrderKey | None, limit: int) -> list[OrderKey]:
        return await self._engine.read(
            lambda session: session.column("checkpoint_page", after=after or "", limit=limit)
        )

    async def late_until(self) -> float | None:
        return await self._engine.read(lambda session: session.value("ledger_late_until"))

    async def retire_all(self, shape: int) -> None:
        await self._engine.write(lambda session: former_keys.begin(session, self._clock()))
        while await self._engine.write(lambda session: former_keys.retire_some(session, shape)):
            pass

        def work(session: Session) -> None:
            former_keys.forget_waiting(session)
            session.run("member_index_retire", keep=[])

        await self._engine.write(work)

    async def retire(self, keys: Sequence[OrderKey], shape: int) -> None:
        await self._engine.write(lambda session: former_keys.retire(session, keys, shape, self._clock()))

    async def take_over(self, claims: Mapping[OrderKey, Place], busy: frozenset[OrderKey]) -> frozenset[OrderKey]:
        return await self._engine.write(lambda session: former_keys.take_over(session, claims, busy, self._vault))

    async def recover(
        self, *, late_until: float | None = None, now: float | None = None, longest: float | None = None
    ) -> int:
        present = self._clock() if now is None else now
        self._engine.expect_late(None if late_until is None else late_until - present)

        def work(session: Session) -> int:
            if now is not None and longest is not None:
                session.run("ledger_not_ahead", now=now, longest=longest)
                session.run("lookup_not_ahead", now=now)
            session.run("ledger_confirm_in_flight", late_until=late_until)
            return int(session.value("revision_highest"))

        return await self._engine.write(work)

    async def note(self, name: str, value: str) -> None:
        await self._engine.write(lambda session: notes.note(session, name, value))

    async def next_due(self, busy: frozenset[OrderKey], *, failing: bool = False) -> float | None:
        return await self._engine.read(lambda session: ledger.next_due(session, busy, failed=failing))


def _take(session: Session, room: Room) -> Taken:
    entries = (ledger.failing if room.failing else ledger.due)(session, room)
    if not entries:
        return NOTHING_TAKEN
    keys = [entry.key for entry in entries]
    ledger.mark(session, keys)
    return Taken(entries, _known(session, keys))


def _known(session: Session, keys: Sequence[OrderKey]) -> Known:
    """In one round trip where the store is on a server."""
    names = ("checkpoint_of", "dead_letter_of", "leftover_of", "held_of", "member_of", "member_indexes")
    checkpoints, letters, leftovers, held, members, indexes = session.rows_together(*names, keys=[*keys])
    return Known(
        checkpoint.by_key(checkpoints),
        dead_letters.by_key(letters),
        checkpoint.leftovers(leftovers),
        holds.by_key(held),
        reverse_index.members(members, indexes),
    )


def _each_key_once(settlements: Sequence[Settlement]) -> list[list[Settlement]]:
    """In parts, since no statement may touch a row twice. There is one part, unless an order is settled twice."""
    parts: list[dict[OrderKey, Settlement]] = [{}]
    for settlement in settlements:
        if settlement.entry.key in parts[-1]:
            parts.append({})
        parts[-1][settlement.entry.key] = settlement
    return [[*part.values()] for part in parts]
