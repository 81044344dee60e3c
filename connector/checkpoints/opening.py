"""From an address to what is kept there: a store, a look into it, an inbox."""

from __future__ import annotations

import asyncio
from typing import TypeAlias

from connector.checkpoints import requests
from connector.checkpoints.address import SETTING, Address
from connector.checkpoints.memory import MemoryCheckpoints
from connector.checkpoints.postgres.reader import NoStore, ReadOnlyPostgres
from connector.checkpoints.postgres.requests import PostgresRequests, has_writer
from connector.checkpoints.postgres.store import PostgresCheckpoints
from connector.checkpoints.readonly import ReadOnlyCheckpoints
from connector.checkpoints.requests import Inbox, Requests, requests_path
from connector.checkpoints.sqlite import SqliteCheckpoints
from connector.checkpoints.vault import Vault
from connector.model.errors import CheckpointsUnwritable, ConfigurationError, Problem
from connector.pipeline.ports.store import CheckpointStore

ReadOnly: TypeAlias = ReadOnlyCheckpoints | ReadOnlyPostgres


def open_checkpoints(address: Address, vault: Vault | None = None) -> CheckpointStore:
    """Open the store for the one process that writes it, making file or schema when there is none.

    `sqlite:///relative.db`, `sqlite:////absolute/path.db`, `postgresql://...`, or `memory:` (nothing outlives the
    process). Payloads are kept only with a vault, sealed. May wait for a server: not on an event loop that others need.
    Raises ConfigurationError (a bad URL, a store that is not ours, newer, or in use) and CheckpointsUnwritable.
    """
    if address.in_memory:
        return MemoryCheckpoints(vault)
    return PostgresCheckpoints(address, vault) if address.in_postgres else SqliteCheckpoints(address.path, vault)


def open_readonly(address: Address, vault: Vault | None = None) -> ReadOnly:
    """Look into the store of a connector that may be running; may wait as `open_checkpoints` does. Raises
    ConfigurationError, also when there is none yet, and CheckpointsUnwritable."""
    if address.in_memory:
        hint = "name a file instead: sqlite:///connector.db"
        raise ConfigurationError([Problem("a store in memory can only be seen by its own process", hint, SETTING)])
    return ReadOnlyPostgres(address, vault) if address.in_postgres else ReadOnlyCheckpoints(address.path, vault)


async def open_if_any(address: Address, vault: Vault | None = None) -> ReadOnly | None:
    """The same; None when there is none yet, or it can't be seen from here."""
    if address.in_memory or (not address.in_postgres and not address.path.exists()):
        return None
    try:
        return await asyncio.to_thread(open_readonly, address, vault)
    except NoStore:
        return None


async def noted(address: Address, note: str) -> str | None:
    """A note of the store; None where there is no store yet, or it can't be read, which others tell."""
    try:
        store = await open_if_any(address)
    except (ConfigurationError, CheckpointsUnwritable):
        return None
    if store is None:
        return None
    try:
        return await store.noted(note)
    except CheckpointsUnwritable:
        return None
    finally:
        await store.close()


def open_requests(address: Address) -> Inbox:
    """The inbox of the connector with this store. Raises ConfigurationError for a store in memory."""
    return PostgresRequests(address) if address.in_postgres else Requests(requests_path(address.url))


def is_running(address: Address) -> bool:
    """Whether a process writes the store. Raises ConfigurationError, CheckpointsUnwritable."""
    return has_writer(address) if address.in_postgres else requests.is_running(address.url)
