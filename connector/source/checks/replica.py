"""Whether the server that orders are read from is a copy of the one that is streamed.

On any other one the stream's transaction ids and LSNs mean nothing, so that no order could be settled rightly.
"""

from __future__ import annotations

from typing import Final

import psycopg

from connector.model.errors import Problem
from connector.postgres.connections import reading
from connector.postgres.errors import CONNECTIONS_NEEDED
from connector.source.checks.connection_limits import LOOKING, READING, limit_problems

# https://www.postgresql.org/docs/current/functions-info.html#FUNCTIONS-INFO-CONTROLDATA
_SYSTEM: Final = "SELECT system_identifier::text, current_database()::text FROM pg_control_system()"


async def replica_problems(dsn: str, read_dsn: str) -> list[Problem]:
    """Raises SourceUnavailable. Of what they are, nothing is said where one keeps its identity to itself."""
    if read_dsn == dsn:
        return []
    limits = await _limits(read_dsn)
    ours, theirs = await _identity(dsn), await _identity(read_dsn)
    if ours == theirs or ours is None or theirs is None:
        return limits
    hint = "name a replica of it, and the same database; or leave source.read_dsn out"
    return [*limits, Problem("is another server than source.dsn, or another database", hint, "source.read_dsn")]


def connections_needed(dsn: str, read_dsn: str) -> int:
    """At `dsn`, the stream aside."""
    return CONNECTIONS_NEEDED if read_dsn == dsn else LOOKING


async def _limits(read_dsn: str) -> list[Problem]:
    async with reading(read_dsn) as conn:
        return await limit_problems(conn, READING, "source.read_dsn")


async def _identity(dsn: str) -> tuple[str, str] | None:
    async with reading(dsn) as conn:
        try:
            row = await (await conn.execute(_SYSTEM)).fetchone()
        except (psycopg.errors.InsufficientPrivilege, psycopg.errors.UndefinedFunction):
            return None  # a managed service may have closed it
    return None if row is None else (row[0], row[1])
