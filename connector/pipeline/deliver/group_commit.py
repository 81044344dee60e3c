"""Settlements, written together: one commit for all that finished while the last one was being written."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence

from connector.pipeline.failpoints import reach
from connector.pipeline.heartbeat import Heartbeat
from connector.pipeline.ports.records import Settlement
from connector.pipeline.ports.store import CheckpointStore


class GroupCommit:
    """`settle` never waits; `on_written` is told when the entries are out of the road."""

    def __init__(
        self,
        store: CheckpointStore,
        on_written: Callable[[Sequence[Settlement]], None],
    ) -> None:
        self._store = store
        self._on_written = on_written
        self.heartbeat = Heartbeat("settler", "writing what became of orders")
        self._pending: list[Settlement] = []
        self._arrived = asyncio.Event()
        self._writing: asyncio.Task[None] | None = None

    def settle(self, settlement: Settlement) -> None:
        self._pending.append(settlement)
        self._arrived.set()

    async def step(self) -> None:
        """Wait for settlements and write all there are."""
        with self.heartbeat.resting():
            await self._arrived.wait()
        self._arrived.clear()
        await self.flush()

    async def flush(self) -> None:
        """Write all there are. Cancelling this cancels no write, because what became of pushed orders would be
        forgotten, and they would be pushed again: the next call waits for it."""
        self._writing = asyncio.create_task(self._write(self._writing), name="settling")
        await asyncio.shield(self._writing)

    async def _write(self, unfinished: asyncio.Task[None] | None) -> None:
        if unfinished is not None:
            await asyncio.wait([unfinished])
        batch, self._pending = self._pending, []
        if batch:
            reach("settle.before")
            await self._store.settle(batch)
            reach("settle.after")
            self._on_written(batch)
