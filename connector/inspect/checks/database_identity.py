"""Whether checkpoints in Postgres would be written into the OMS's own database, or onto its server.

Asks both databases who they are, and changes nothing.
"""

from __future__ import annotations

import asyncio
from dataclasses import dataclass
from typing import Final

import psycopg

from connector.checkpoints.address import SETTING, Address
from connector.checkpoints.postgres.connection import connect, describe, unwritable
from connector.model.errors import ConfigurationError, Problem
from connector.postgres.connections import connection
from connector.settings.config import Settings
from connector.wiring import factories

ALLOW: Final = "checkpoints.allow_oms_database"

# A server and its standbys share the identifier. Where a host keeps it from us, the moment of the start tells a server.
_WHO: Final = """
SELECT current_database(), pg_postmaster_start_time()::text, has_function_privilege('pg_control_system()', 'EXECUTE')
"""
_SYSTEM: Final = "SELECT system_identifier::text FROM pg_control_system()"


@dataclass(frozen=True, slots=True)
class Identity:
    """Of a database. `system`: empty where it may not be asked for."""

    database: str
    started: str
    system: str

    def same_server(self, other: Identity) -> bool:
        if self.system and other.system:
            return self.system == other.system
        return self.started == other.started


async def store_location_problems(settings: Settings) -> list[Problem]:
    """What is wrong with a store on the OMS's server. Raises ConfigurationError, SourceUnavailable,
    CheckpointsUnwritable."""
    address = factories.checkpoints(settings)
    if not address.in_postgres:
        return []
    store = await asyncio.to_thread(_identity, address)
    oms = await _source(settings)
    if not store.same_server(oms):
        return []
    if store.database != oms.database:
        what = "the checkpoint database is on the OMS's server: what is written there makes WAL that its slot keeps"
        return [Problem(what, "use another server where there is one; docs/operations.md", SETTING, warning=True)]
    what = f"{describe(address)} is the OMS's own database, which nothing of ours is written into"
    hint = f"name another database, best on another server; or, if the OMS's DBA agrees, set {ALLOW} = true"
    return [Problem(what, hint, SETTING, warning=settings.checkpoints.allow_oms_database)]


async def refuse_oms_database(settings: Settings) -> None:
    """Before anything is made there. Raises ConfigurationError, and as `store_location_problems`."""
    if serious := [problem for problem in await store_location_problems(settings) if not problem.warning]:
        raise ConfigurationError(serious)


def _identity(address: Address) -> Identity:
    with connect(address, read_only=True) as session:
        try:
            database, started, allowed = session.execute(_WHO).fetchone() or ("", "", False)
            [system] = (session.execute(_SYSTEM).fetchone() if allowed else None) or ("",)
        except psycopg.Error as error:
            raise unwritable(address, error) from None
    return Identity(database, started, system)


async def _source(settings: Settings) -> Identity:
    async with connection(factories.source_dsn(settings)) as session:
        database, started, allowed = await (await session.execute(_WHO)).fetchone() or ("", "", False)
        [system] = (await (await session.execute(_SYSTEM)).fetchone() if allowed else None) or ("",)
    return Identity(database, started, system)
