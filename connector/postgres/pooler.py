"""Whether a connection leads to Postgres itself, or to a pooler that lends its own connections for a transaction each.

Through such a pooler no setting may be made for a session: it would stay behind on a connection that serves others,
and our `default_transaction_read_only` would fail the OMS's own writes. So each connection is tested first.
Reads process ids and sets nothing, so that its names are looked up wherever the role's search path says: they come
with their schema.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from typing import Any, Final

import psycopg

from connector.model.errors import SourceUnavailable

HINT: Final = (
    "give the address of Postgres itself (often port 5432, where a pooler has 6432 or 6543; docs/hosting.md);"
    " for source.read_dsn a pooler in session mode will do, too"
)
_ROUNDS: Final = 8
"""A pooler hands out the connection it got back last, so that the first round tells; other clients may get between."""
_PATIENCE: Final = 10.0


async def refuse_lent(
    connection: psycopg.AsyncConnection[Any], another: Callable[[], Awaitable[psycopg.AsyncConnection[Any]]]
) -> None:
    """Raises SourceUnavailable when another session can be given what this one has. `another` opens a second
    connection to the same address; one is opened only when the first shows a pooler. Raises psycopg.Error."""
    # Postgres tells its process id as it accepts a connection (BackendKeyData), and a pooler tells one of its own, or
    # none: https://www.postgresql.org/docs/current/protocol-flow.html#PROTOCOL-FLOW-START-UP
    if await _process(connection) == connection.info.backend_pid:
        return
    second = await another()
    try:
        async with asyncio.timeout(_PATIENCE):
            lent = await _lent(connection, second)
    except TimeoutError:
        what = f"a connection pooler, which gave no second session within {_PATIENCE:.0f} s"
        raise SourceUnavailable(f"{_name(connection)} is {what}", HINT) from None
    finally:
        await second.close()
    if lent:
        what = (
            "a connection pooler in transaction mode: each transaction may get another session, so that what is set"
            " for one session reaches other clients, and no stream can be kept"
        )
        raise SourceUnavailable(f"{_name(connection)} is {what}", HINT)


async def _lent(first: psycopg.AsyncConnection[Any], second: psycopg.AsyncConnection[Any]) -> bool:
    """Whether the second session gets the process that the first had between two of its transactions, or the first
    another one when the second holds it."""
    try:
        for _ in range(_ROUNDS):
            before = await _process(first)
            await second.execute("BEGIN")
            if await _process(second) == before or await _process(first) != before:
                return True
            await second.execute("ROLLBACK")
    except psycopg.errors.ProtocolViolation:
        return True  # In statement mode there are no transaction blocks.
    return False


async def _process(connection: psycopg.AsyncConnection[Any]) -> int:
    row = await (await connection.execute("SELECT pg_catalog.pg_backend_pid()")).fetchone()
    return int(row[0]) if row else 0


def _name(connection: psycopg.AsyncConnection[Any]) -> str:
    info = connection.info
    return f"{info.host or info.hostaddr}:{info.port}/{info.dbname}"
