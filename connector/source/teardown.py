"""Taking back what the connector put into the OMS database: its slot, then its publications.

The slot goes first: without its publications it could not be decoded, yet would keep WAL.
"""

from __future__ import annotations

from typing import Any, Final

import psycopg
from psycopg import sql

from connector.errors import ConfigurationError, Problem, SourceUnavailable
from connector.source.connections import connection, explain, unavailable
from connector.source.pair import inserts_name
from connector.source.publication import read_publications
from connector.source.slot import read_slot, slot_problems

_LOCK_TIMEOUT: Final = 3.0


async def leftovers(dsn: str, slot: str, publication: str) -> list[str]:
    """What `teardown` would drop, in words; nothing changes. Raises as `teardown` does."""
    try:
        async with connection(dsn) as conn:
            return [f"{kind} {name}" for kind, name in await _found(conn, slot, publication)]
    except psycopg.Error as error:
        raise unavailable(dsn, error) from None


async def teardown(dsn: str, slot: str, publication: str) -> list[str]:
    """Drop the slot and the publications, as far as they exist; returns what was dropped, in words.

    Raises ConfigurationError when the slot is in use or isn't ours or the role may not drop them, SourceUnavailable.
    """
    dropped = []
    try:
        async with connection(dsn, read_only=False, lock_timeout=_LOCK_TIMEOUT) as conn:
            for kind, name in await _found(conn, slot, publication):
                await conn.execute(_drop(kind, name))
                dropped.append(f"{kind} {name}")
    except (psycopg.errors.ObjectInUse, psycopg.errors.InsufficientPrivilege) as error:
        raise ConfigurationError(
            [Problem(explain(error), f"let a DBA run:\n{statements(slot, publication)}")]
        ) from None
    except psycopg.errors.LockNotAvailable:
        what = f"another session holds a lock on publication {publication} (waited {_LOCK_TIMEOUT:.0f} s): try again"
        raise SourceUnavailable(what) from None
    except psycopg.Error as error:
        raise unavailable(dsn, error) from None
    return dropped


def statements(slot: str, publication: str) -> str:
    """The same as SQL, for a DBA."""
    second = sql.SQL("DROP PUBLICATION IF EXISTS {}").format(sql.Identifier(inserts_name(publication)))
    drops = (_drop("slot", slot), _drop("publication", publication), second)
    return "\n".join(f"{drop.as_string()};" for drop in drops)


async def _found(conn: psycopg.AsyncConnection[Any], slot: str, publication: str) -> list[tuple[str, str]]:
    found = []
    report = await read_slot(conn, slot)
    if report is not None:
        # A slot that has lost WAL is ours to drop all the same.
        problems = [] if report.wal_status == "lost" else slot_problems(slot, report)
        if report.active_pid is not None:
            hint = "stop the connector that follows it first"
            problems.append(Problem(f"it is in use by server process {report.active_pid}", hint, f"slot {slot}"))
        if problems:
            raise ConfigurationError(problems)
        found.append(("slot", slot))
    names = (publication, inserts_name(publication))
    existing = await read_publications(conn, names)
    return found + [("publication", name) for name in names if name in existing]


def _drop(kind: str, name: str) -> sql.Composed:
    if kind == "slot":
        return sql.SQL("SELECT pg_drop_replication_slot({})").format(sql.Literal(name))
    return sql.SQL("DROP PUBLICATION {}").format(sql.Identifier(name))
