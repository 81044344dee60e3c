"""Looks into a schema without changing it, beside a running connector or without one."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import psycopg
from psycopg import Connection

from connector.checkpoints.address import SETTING, Address
from connector.checkpoints.postgres import accepted, endpoints, holds, letters, payloads, progress, suspicions
from connector.checkpoints.postgres.connection import StoreConnection, connect, describe, unwritable
from connector.checkpoints.postgres.migrations import version_of
from connector.checkpoints.postgres.session import SessionThread
from connector.checkpoints.vault import Vault
from connector.model.errors import ConfigurationError, Problem
from connector.model.orders import OrderKey, Place
from connector.pipeline.heartbeat import Heartbeat
from connector.pipeline.ports.holds import Hold, HoldSummary
from connector.pipeline.ports.records import DeadLetter, Endpoint, Known, LetterGroup, Sweep, Tally, Warned


class NoStore(ConfigurationError):
    """No connector has made its tables there so far."""


class ReadOnlyPostgres:
    """The part of `pipeline.ports.store.CheckpointStore` that only reads. Raises CheckpointsUnwritable."""

    def __init__(self, address: Address, vault: Vault | None = None) -> None:
        """Raises ConfigurationError when there is no store yet, or it won't do."""
        self._thread = SessionThread(address, lambda: open_reader(address))
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
        def work(connection: Connection[Any]) -> Known:
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
        return await self._thread.read(lambda connection: accepted.random_keys(connection, size))

    async def close(self) -> None:
        await self._thread.close()


def open_reader(address: Address) -> StoreConnection:
    """A session that can't write. Raises NoStore, ConfigurationError, CheckpointsUnwritable."""
    session = connect(address, read_only=True)
    try:
        version = version_of(session, address)
    except psycopg.Error as error:
        session.close()
        raise unwritable(address, error) from None
    except ConfigurationError:
        session.close()
        raise
    if not version:
        session.close()
        what = f"there is no checkpoint store in {describe(address)}"
        raise NoStore([Problem(what, "start `redo-connector run` once, it makes it", SETTING)])
    return session
