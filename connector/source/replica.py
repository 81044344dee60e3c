"""Whether the server that orders are read from is a copy of the one that is streamed.

On any other one the stream's transaction ids and LSNs mean nothing, so that no order could be settled rightly.
"""

from __future__ import annotations

from typing import Final

import psycopg

from connector.errors import Problem
from connector.source.connections import connection, unavailable

# https://www.postgresql.org/docs/current/functions-info.html#FUNCTIONS-INFO-CONTROLDATA
_SYSTEM: Final = "SELECT system_identifier::text, current_database()::text FROM pg_control_system()"


async def replica_problems(dsn: str, read_dsn: str) -> list[Problem]:
    """Raises SourceUnavailable. Nothing is said where one of them keeps its identity to itself."""
    if read_dsn == dsn:
        return []
    ours, theirs = await _identity(dsn), await _identity(read_dsn)
    if ours == theirs or ours is None or theirs is None:
        return []
    hint = "name a replica of it, and the same database; or leave source.read_dsn out"
    return [Problem("is another server than source.dsn, or another database", hint, "source.read_dsn")]


async def _identity(dsn: str) -> tuple[str, str] | None:
    try:
        async with connection(dsn) as conn:
            row = await (await conn.execute(_SYSTEM)).fetchone()
    except (psycopg.errors.InsufficientPrivilege, psycopg.errors.UndefinedFunction):
        return None  # a managed service may have closed it
    except psycopg.Error as error:
        raise unavailable(dsn, error) from None
    return None if row is None else (row[0], row[1])
