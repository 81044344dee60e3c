"""Whether the server that orders are read from is a copy of the one that is streamed.

On any other one the stream's transaction ids and LSNs mean nothing, so that no order could be settled rightly.
"""

from __future__ import annotations

from typing import Any, Final

import psycopg
from psycopg import AsyncConnection

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
    # On one connection: the server may count one that was closed just now.
    async with reading(read_dsn) as conn:
        limits, theirs = await limit_problems(conn, READING, "source.read_dsn"), await _identity(conn)
    async with reading(dsn) as conn:
        ours = await _identity(conn)
    if ours == theirs or ours is None or theirs is None:
        return limits
    hint = "name a replica of it, and the same database; or leave source.read_dsn out"
    return [*limits, Problem("is another server than source.dsn, or another database", hint, "source.read_dsn")]


def connections_needed(dsn: str, read_dsn: str) -> int:
    """At `dsn`, the stream aside."""
    return CONNECTIONS_NEEDED if read_dsn == dsn else LOOKING


async def _identity(conn: AsyncConnection[Any]) -> tuple[str, str] | None:
    try:
        row = await (await conn.execute(_SYSTEM)).fetchone()
    except (psycopg.errors.InsufficientPrivilege, psycopg.errors.UndefinedFunction):
        return None  # a managed service may have closed it
    return None if row is None else (row[0], row[1])
