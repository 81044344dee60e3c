"""Looks into a checkpoint file without changing it, beside a running connector or without one."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import apsw

from connector.checkpoints import accepted, endpoints, holds, letters, payloads, progress, sampling, suspicions
from connector.checkpoints.file import open_reader
from connector.checkpoints.thread import OwnerThread
from connector.checkpoints.vault import Vault
from connector.model.orders import OrderKey, Place
from connector.pipeline.heartbeat import Heartbeat
from connector.pipeline.ports.holds import Hold, HoldSummary
from connector.pipeline.ports.records import DeadLetter, Endpoint, Known, LetterGroup, Sweep, Tally, Warned


class ReadOnlyCheckpoints:
    """The part of `pipeline.ports.store.CheckpointStore` that only reads. Raises CheckpointsUnwritable."""

    def __init__(self, path: Path, vault: Vault | None = None) -> None:
        self._thread = OwnerThread(open_reader(path), path)
        self._vault = vault

    @property
    def heartbeat(self) -> Heartbeat:
        return self._thread.heartbeat

    async def tally(self) -> Tally:
        return await self._thread.read(progress.tally)

    async def sweep(self) -> Sweep | None:
        return await self._thread.read(progress.sweep)

    async def sweeps(self, limit: int) -> list[Sweep]:
        return await self._thread.read(lambda connection: progress.sweeps(connection, limit))

    async def dead_letters(self, after: OrderKey | None, limit: int) -> list[DeadLetter]:
        return await self._thread.read(lambda connection: letters.page(connection, after, limit))

    async def letter_groups(self) -> list[LetterGroup]:
        return await self._thread.read(letters.groups)

    async def letter_keys(self, group: str | None, after: OrderKey | None, limit: int) -> list[OrderKey]:
        return await self._thread.read(lambda connection: letters.keys(connection, group, after, limit))

    async def endpoints(self) -> list[Endpoint]:
        return await self._thread.read(endpoints.endpoints)

    async def holds(self) -> list[Hold]:
        return await self._thread.read(holds.holds)

    async def summarise(self, number: int, samples: int) -> HoldSummary | None:
        return await self._thread.read(lambda connection: holds.summarise(connection, number, samples))

    async def warned(self, limit: int) -> list[Warned]:
        return await self._thread.read(lambda connection: suspicions.latest(connection, limit))

    async def noted(self, name: str) -> str | None:
        return await self._thread.read(lambda connection: progress.noted(connection, name))

    async def known(self, keys: Sequence[OrderKey]) -> Known:
        def work(connection: apsw.Connection) -> Known:
            return Known(
                accepted.of_keys(connection, keys),
                letters.of_keys(connection, keys),
                accepted.leftovers(connection, keys),
                holds.of_keys(connection, keys),
            )

        return await self._thread.read(work)

    async def payload(self, key: OrderKey, place: Place) -> bytes | None:
        return await self._thread.read(lambda connection: payloads.payload(connection, key, place, self._vault))

    async def random_keys(self, size: int) -> list[OrderKey]:
        """Keys of at most `size` checkpoints that aren't marked missing; each has the same chance. Reads all."""
        return await self._thread.read(lambda connection: sampling.random_keys(connection, size))

    async def close(self) -> None:
        await self._thread.close(lambda _: None)
