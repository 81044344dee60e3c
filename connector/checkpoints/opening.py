"""From an address to what is kept there: a store, a look into it, an inbox."""

from __future__ import annotations

import asyncio
import json
import time
from collections.abc import Callable
from pathlib import Path
from typing import Final

from connector.checkpoints.address import SETTING, Address
from connector.checkpoints.engine import NoStore
from connector.checkpoints.leader import Candidate
from connector.checkpoints.postgres import candidate as postgres_candidate
from connector.checkpoints.postgres.engine import PostgresEngine
from connector.checkpoints.postgres.inbox import InboxTable, has_writer
from connector.checkpoints.postgres.writer_claim import Claim
from connector.checkpoints.requests import Inbox
from connector.checkpoints.sqlite import candidate as file_candidate
from connector.checkpoints.sqlite import file, inbox
from connector.checkpoints.sqlite.engine import SqliteEngine
from connector.checkpoints.store import Checkpoints, ReadOnlyCheckpoints
from connector.checkpoints.vault import Vault
from connector.model.errors import CheckpointsUnwritable, ConfigurationError, Problem
from connector.pipeline.clock import MACHINE
from connector.pipeline.ports.store import CheckpointStore

SLOTS_NOTE: Final = "slots"
"""The slots that a store was ever filled from, as a JSON list: after a change of `source.slot`, one is left behind and
keeps WAL. `check` and a start compare it with what the server has."""


def in_memory(vault: Vault | None = None, clock: Callable[[], float] = time.time) -> Checkpoints:
    """A new store that nothing outlives. Its methods never wait."""
    return Checkpoints(SqliteEngine(file.open_memory()), vault, clock)


def in_file(path: Path, vault: Vault | None = None, clock: Callable[[], float] = time.time) -> Checkpoints:
    """The store in an SQLite file."""
    connection, hold = file.open_writer(path)
    return Checkpoints(SqliteEngine(connection, path, hold), vault, clock)


def in_postgres(address: Address, vault: Vault | None = None, clock: Callable[[], float] | None = None) -> Checkpoints:
    """The store in a schema of a Postgres database. `clock`: of everything, in place of the machine's."""
    claim = Claim(address, clock or MACHINE.now)
    return Checkpoints(PostgresEngine(address, claim), vault, clock or MACHINE.wall)


def open_checkpoints(address: Address, vault: Vault | None = None) -> Checkpoints:
    """Open the store for the one process that writes it, making file or schema when there is none.

    `sqlite:///relative.db`, `sqlite:////absolute/path.db`, `postgresql://...`, or `memory:` (nothing outlives the
    process). Payloads are kept only with a vault, sealed. May wait for a server: not on an event loop that others need.
    Raises ConfigurationError (a bad URL, a store that is not ours, newer, or in use) and CheckpointsUnwritable.
    """
    if address.in_memory:
        return in_memory(vault)
    return in_postgres(address, vault) if address.in_postgres else in_file(address.path, vault)


def candidate(address: Address, silence: float) -> Candidate | None:
    """Whoever waits for the right to write the store; None for one in memory, which is its process's own. `silence`:
    seconds after which a leader that says nothing to its server may be deposed."""
    if address.in_memory:
        return None
    if address.in_postgres:
        return postgres_candidate.PostgresCandidate(address, silence)
    return file_candidate.FileCandidate(address.path)


def is_waited_for(address: Address) -> bool:
    """Whether another process would lead if this one didn't. Raises ConfigurationError, CheckpointsUnwritable."""
    if address.in_memory:
        return False
    if address.in_postgres:
        return postgres_candidate.waiting(address) > 0
    return file_candidate.waiting(address.path)


def open_readonly(address: Address, vault: Vault | None = None) -> ReadOnlyCheckpoints:
    """Look into the store of a connector that may be running; may wait as `open_checkpoints` does. Raises
    ConfigurationError, also when there is none yet, and CheckpointsUnwritable."""
    if address.in_memory:
        hint = "name a file instead: sqlite:///connector.db"
        raise ConfigurationError([Problem("a store in memory can only be seen by its own process", hint, SETTING)])
    if address.in_postgres:
        return ReadOnlyCheckpoints(PostgresEngine(address), vault)
    return ReadOnlyCheckpoints(SqliteEngine(file.open_reader(address.path), address.path), vault)


async def open_if_any(address: Address, vault: Vault | None = None) -> ReadOnlyCheckpoints | None:
    """The same; None when there is none yet, or it can't be seen from here."""
    if address.in_memory:
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


async def remember_slot(memory: CheckpointStore, slot: str) -> None:
    known = json.loads(await memory.noted(SLOTS_NOTE) or "[]")
    if slot not in known:
        await memory.note(SLOTS_NOTE, json.dumps([*known, slot]))


async def former_slots(address: Address) -> list[str]:
    """None when there is no store yet or it can't be read, which others tell."""
    found: list[str] = json.loads(await noted(address, SLOTS_NOTE) or "[]")
    return found


def open_requests(address: Address) -> Inbox:
    """The inbox of the connector with this store. Raises ConfigurationError for a store in memory."""
    return Inbox(InboxTable(address) if address.in_postgres else inbox.InboxFile(inbox.requests_path(address.url)))


def is_running(address: Address) -> bool:
    """Whether a process writes the store. Raises ConfigurationError, CheckpointsUnwritable."""
    return has_writer(address) if address.in_postgres else inbox.is_running(address.url)
