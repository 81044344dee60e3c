"""Assemble a batch of orders, and find the one that breaks it.

A run-time error of the mapping fails the whole query, so a batch that fails for its data is halved until the orders at
fault stand alone: they become dead letters, the others go on. But only once a control has shown that other orders can
be read, and after that each of them failed again.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field

from connector.model.errors import OrderUnreadable
from connector.model.orders import NO_MEMBERS, Members, OrderKey
from connector.model.rows import Assembly, Row
from connector.pipeline.context import Context
from connector.pipeline.read.control_reads import ControlReads
from connector.pipeline.read.large_orders import COMMON
from connector.pipeline.read.visibility import HiddenCommits, Visibility


@dataclass(frozen=True, slots=True)
class Reading:
    """What one snapshot says of one order, or why it can't be read."""

    key: OrderKey
    rows: tuple[Row, ...]
    hidden: HiddenCommits
    members: Members = field(default_factory=dict)
    error: OrderUnreadable | None = None
    oversized: int = 0
    """Bytes of its documents, when these are too large to have been read with others."""
    misfit: bool = False
    """It can't be the key of an order, as the order key's columns and types are."""


class Reader:
    """`recovered`: called with the SQLSTATE once a failure of the whole mapping is over. The reader must not know what
    waits for that."""

    def __init__(self, context: Context, visibility: Visibility, recovered: Callable[[str], None]) -> None:
        self._assembler = context.assembler
        self._observer = context.observer
        self._in_work = context.in_work
        self._timer = context.clock.timer
        self.visibility = visibility
        self._under_way: set[asyncio.Future[None]] = set()
        self.controls = ControlReads(context, self._assemble, recovered)

    @asynccontextmanager
    async def reading(
        self, keys: Sequence[OrderKey], *, large: bool = False, brief: bool = False
    ) -> AsyncIterator[list[Reading]]:
        """One reading for each key, whose members are to be in the reverse index at the end of the block; `large`:
        larger documents too; `brief`: in little time. Raises SourceUnavailable (LimitExceeded when fewer keys may
        pass), MappingBroken (MappingFails when it fails for all keys)."""
        done: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._under_way.add(done)
        try:
            largest = None if large else COMMON
            await self.controls.probe(keys, largest)  # when the mapping fails for all, it costs one query
            yield await self._read(keys, largest, brief=brief)
        finally:
            self._under_way.discard(done)
            done.set_result(None)

    async def until_enrolled(self) -> None:
        """Wait until the readings that are under way now are in the reverse index."""
        if self._under_way:
            await asyncio.wait(set(self._under_way))

    async def _read(
        self, keys: Sequence[OrderKey], largest: int | None, shown_before: HiddenCommits | None = None, *, brief: bool
    ) -> list[Reading]:
        """`shown_before`: what the snapshot of a control that was read doesn't show. No snapshot comes with an error,
        and the change that mends the order may be in none yet."""
        try:
            assembly, hidden = await self._assemble(keys, largest, brief=brief)
        except OrderUnreadable as error:
            if shown_before is None:
                shown_before = await self.controls.blame(error, keys, largest)
                if len(keys) == 1:
                    return await self._read(keys, largest, shown_before, brief=brief)
            if len(keys) == 1:
                return [Reading(keys[0], (), shown_before, error=error)]
            half = len(keys) // 2
            first = await self._read(keys[:half], largest, shown_before, brief=brief)
            return first + await self._read(keys[half:], largest, shown_before, brief=brief)
        return [
            Reading(
                key,
                assembly.rows.get(key, ()),
                hidden,
                assembly.members.get(key, NO_MEMBERS),
                oversized=assembly.oversized.get(key, 0),
                misfit=key in assembly.misfits,
            )
            for key in keys
        ]

    async def glance(self, keys: Sequence[OrderKey]) -> tuple[Assembly, HiddenCommits]:
        """Orders of common size in one query of little time, and what its snapshot doesn't show. None is blamed for
        what fails, none enrolled. Raises as `read` does, and OrderUnreadable."""
        return await self._assemble(keys, COMMON, brief=True)

    async def snapshot(self) -> HiddenCommits:
        """Take a snapshot only to learn which commits it shows."""
        return (await self._assemble((), None))[1]

    async def _assemble(
        self, keys: Sequence[OrderKey], largest: int | None, *, brief: bool = False
    ) -> tuple[Assembly, HiddenCommits]:
        """One query, and what its snapshot doesn't show."""
        before, started = self.visibility.unseen(), self._timer()
        try:
            assembly = await self._assembler.assemble(keys, largest, brief=brief)
        finally:
            self._in_work.progressed()
        self.visibility.checked_at = self._timer()
        if keys:
            self._observer.assembled(self.visibility.checked_at - started, len(keys))
        self.controls.succeeded(assembly)
        return assembly, self.visibility.hidden_from(assembly.snapshot, before)
