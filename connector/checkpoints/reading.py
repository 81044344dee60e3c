"""What can be asked of a checkpoint store, be it one's own or another process's."""

from __future__ import annotations

from collections.abc import Sequence

from connector.checkpoints.engine import Engine, Session
from connector.checkpoints.tables import (
    checkpoint,
    dead_letters,
    endpoints,
    holds,
    notes,
    order_warnings,
    payloads,
)
from connector.checkpoints.vault import Vault
from connector.model.orders import OrderKey, Place
from connector.pipeline.ports.holds import Hold, HoldSummary
from connector.pipeline.ports.records import DeadLetter, Endpoint, Known, LetterGroup, Sweep, Tally, Warned


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
        return await self._engine.read(lambda session: order_warnings.latest(session, limit))

    async def noted(self, name: str) -> str | None:
        return await self._engine.read(lambda session: session.value("noted", name=name))

    async def known(self, keys: Sequence[OrderKey]) -> Known:
        def work(session: Session) -> Known:
            return Known(
                checkpoint.of_keys(session, keys),
                dead_letters.of_keys(session, keys),
                checkpoint.leftovers(session, keys),
                holds.of_keys(session, keys),
            )

        return await self._engine.read(work)

    async def payload(self, key: OrderKey, place: Place) -> bytes | None:
        return await self._engine.read(lambda session: payloads.payload(session, key, place, self._vault))

    async def random_keys(self, size: int) -> list[OrderKey]:
        """Keys of at most `size` checkpoints that aren't marked missing; each has the same chance. Reads all: a third
        of a second for a million."""
        return await self._engine.read(lambda session: session.column("checkpoint_sample", limit=size))

    async def close(self) -> None:
        await self._engine.close()
