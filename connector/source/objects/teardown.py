"""Dropping what the connector made in the OMS database: its slot, then its publications.

The slot goes first: without its publications it could not be decoded, yet would keep WAL. Only what the role may drop
is dropped; the rest is reported, with the SQL for those who may.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any, Final

import psycopg
from psycopg import sql

from connector.model.errors import ConfigurationError, Problem, SourceUnavailable
from connector.postgres.connections import connection, reading
from connector.postgres.errors import explain, unavailable
from connector.source.objects.publication import read_publications
from connector.source.objects.publication_pair import inserts_name
from connector.source.objects.slot import read_slot, slot_problems

_LOCK_TIMEOUT: Final = 3.0
_STOP: Final = "stop the connector that follows it first"


@dataclass(frozen=True, slots=True)
class Leftovers:
    """What there is of the connector's. `droppable`: pairs of `slot` or `publication` and the name, in the order to
    drop them; `others`: what belongs to another role, with the SQL for that."""

    droppable: tuple[tuple[str, str], ...]
    others: tuple[Problem, ...] = ()

    def __bool__(self) -> bool:
        return bool(self.droppable or self.others)

    def __str__(self) -> str:
        return " and ".join(f"{kind} {name}" for kind, name in self.droppable)


async def leftovers(dsn: str, slot: str, publication: str) -> Leftovers:
    """What `teardown` would drop; nothing changes. Raises as `teardown` does."""
    async with reading(dsn) as conn:
        return await _found(conn, slot, publication)


async def teardown(dsn: str, slot: str, publication: str) -> Leftovers:
    """Drop the slot and the publications, as far as they exist and the role may; returns what was dropped and what is
    left to others.

    Raises ConfigurationError when the slot is in use or isn't ours or the role may not drop it, SourceUnavailable.
    """
    dropped: list[tuple[str, str]] = []
    try:
        async with connection(dsn, read_only=False, lock_timeout=_LOCK_TIMEOUT) as conn:
            found = await _found(conn, slot, publication)
            for kind, name in found.droppable:
                await conn.execute(_drop(kind, name))
                dropped.append((kind, name))
    except psycopg.errors.ObjectInUse as error:
        raise ConfigurationError([Problem(explain(error), _STOP, f"slot {slot}")]) from None
    except psycopg.errors.InsufficientPrivilege as error:
        what = f"{explain(error)}{f'; dropped before that: {Leftovers(tuple(dropped))}' if dropped else ''}"
        raise ConfigurationError([Problem(what, f"let a DBA run:\n{statements(slot, publication)}")]) from None
    except psycopg.errors.LockNotAvailable:
        what = f"another session holds a lock on publication {publication} (waited {_LOCK_TIMEOUT:.0f} s): try again"
        raise SourceUnavailable(what) from None
    except psycopg.Error as error:
        raise unavailable(dsn, error) from None
    return replace(found, droppable=tuple(dropped))


def statements(slot: str, publication: str) -> str:
    """The same as SQL, for a DBA; it does no harm where a part is gone already."""
    drop = sql.SQL("SELECT pg_drop_replication_slot(slot_name) FROM pg_replication_slots WHERE slot_name = {};")
    names = (publication, inserts_name(publication))
    drops = [sql.SQL("DROP PUBLICATION IF EXISTS {};").format(sql.Identifier(name)) for name in names]
    return "\n".join(each.as_string() for each in (drop.format(sql.Literal(slot)), *drops))


async def _found(conn: psycopg.AsyncConnection[Any], slot: str, publication: str) -> Leftovers:
    droppable = []
    report = await read_slot(conn, slot)
    if report is not None:
        # A slot that is lost is ours to drop all the same.
        problems = [each for each in slot_problems(slot, report, renewed=True) if not each.warning]
        if report.active_pid is not None:
            problems.append(Problem(f"it is in use by server process {report.active_pid}", _STOP, f"slot {slot}"))
        if problems:
            raise ConfigurationError(problems)
        droppable.append(("slot", slot))
    names = (publication, inserts_name(publication))
    existing = await read_publications(conn, names)
    there = [existing[name] for name in names if name in existing]
    droppable += [("publication", each.name) for each in there if each.owned]
    return Leftovers(tuple(droppable), tuple(_not_ours(each.name) for each in there if not each.owned))


def _not_ours(name: str) -> Problem:
    hint = f"let its owner or a DBA run: {_drop('publication', name).as_string()};"
    return Problem("it belongs to another role", hint, f"publication {name}")


def _drop(kind: str, name: str) -> sql.Composed:
    if kind == "slot":
        return sql.SQL("SELECT pg_drop_replication_slot({})").format(sql.Literal(name))
    return sql.SQL("DROP PUBLICATION {}").format(sql.Identifier(name))
