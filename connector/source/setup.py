"""Making the publication and the slot, or making sure that somebody did. Publication first: a slot can't decode what
was written before its publication existed.

The only writes of ours to the OMS database are here. They run with a lock_timeout.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

import psycopg
from psycopg import sql

from connector.changes import TableName
from connector.errors import ConfigurationError, Problem, SourceUnavailable
from connector.source.catalog import TableFacts, read_tables, table_problems
from connector.source.connections import connection, explain, unavailable
from connector.source.publication import (
    Publication,
    missing_tables,
    narrowing_problems,
    publication_problems,
    read_publication,
    repairs,
)
from connector.source.slot import OnWait, SlotReport, create_slot, read_slot, slot_problems

_LOCK_TIMEOUT: Final = 3.0


@dataclass(frozen=True, slots=True)
class Ready:
    """What `ensure` did. After either of these a backfill must follow, because earlier changes aren't in the stream."""

    slot_created: bool
    tables_added: tuple[TableName, ...]


@dataclass(frozen=True, slots=True)
class _Found:
    facts: Sequence[TableFacts]
    publication: Publication | None
    slot: SlotReport | None


async def ensure(
    dsn: str,
    slot: str,
    publication: str,
    tables: Sequence[TableName],
    manage: bool,
    on_wait: OnWait | None = None,
) -> Ready:
    """Have a publication that covers the tables and a slot that decodes it.

    With `manage` they are created or extended; without, only verified. While the slot waits for running transactions,
    `on_wait` is told who they are. Raises ConfigurationError with the SQL to run, SourceUnavailable (also when a lock
    can't be had in 3 s: try again).
    """
    found = await _look(dsn, slot, publication, tables)
    if not manage:
        _demand(verify_problems(slot, publication, found.facts, found.publication, found.slot))
        return Ready(slot_created=False, tables_added=())
    _demand(_conflicts(slot, publication, found))
    try:
        async with connection(dsn, read_only=False, lock_timeout=_LOCK_TIMEOUT) as conn:
            for statement in repairs(publication, found.publication, found.facts):
                await conn.execute(statement)
        created = found.slot is None and await create_slot(dsn, slot, on_wait)
    except psycopg.Error as error:
        raise _translate(dsn, slot, publication, found, error) from None
    added = missing_tables(found.publication, found.facts)
    return Ready(created, tuple(added))


def verify_problems(
    slot: str,
    publication: str,
    facts: Sequence[TableFacts],
    found: Publication | None,
    report: SlotReport | None,
) -> list[Problem]:
    """What a DBA still has to do when the connector may not: the SQL is in each hint."""
    problems = publication_problems(publication, found, facts)
    if report is None:
        problems.append(Problem("there is no such slot", slot_statement(slot), f"slot {slot}"))
        return problems
    return problems + slot_problems(slot, report)


def slot_statement(slot: str) -> str:
    create = sql.SQL("SELECT pg_create_logical_replication_slot({}, 'pgoutput');")
    return create.format(sql.Literal(slot)).as_string()


async def _look(dsn: str, slot: str, publication: str, tables: Sequence[TableName]) -> _Found:
    try:
        async with connection(dsn) as conn:
            _demand(await table_problems(conn, tables))
            facts = await read_tables(conn, tables)
            return _Found(facts, await read_publication(conn, publication), await read_slot(conn, slot))
    except psycopg.Error as error:
        raise unavailable(dsn, error) from None


def _conflicts(slot: str, publication: str, found: _Found) -> list[Problem]:
    """What can't be mended by adding to it."""
    problems = [] if found.publication is None else narrowing_problems(found.publication, found.facts)
    if found.slot is None:
        return problems
    problems += slot_problems(slot, found.slot)
    if found.publication is None and not problems:
        drop = sql.SQL("SELECT pg_drop_replication_slot({});").format(sql.Literal(slot)).as_string()
        what = f"it is older than the publication {publication}, which is gone, so it can't be decoded any more"
        hint = f"{drop} Start again: a new slot is followed by a backfill"
        problems.append(Problem(what, hint, f"slot {slot}"))
    return problems


def _demand(problems: Sequence[Problem]) -> None:
    if any(not problem.warning for problem in problems):
        raise ConfigurationError(problems)


def _translate(
    dsn: str, slot: str, publication: str, found: _Found, error: psycopg.Error
) -> ConfigurationError | SourceUnavailable:
    where = f"slot {slot}, publication {publication}"
    if isinstance(error, psycopg.errors.LockNotAvailable):
        return SourceUnavailable(
            f"{where}: a table is locked by another session (waited {_LOCK_TIMEOUT:.0f} s, so as not to queue others"
            " behind us); will be tried again"
        )
    if isinstance(error, psycopg.errors.InsufficientPrivilege):
        problems = verify_problems(slot, publication, found.facts, found.publication, found.slot)
        hint = "\n  ".join(problem.hint for problem in problems)
        what = f"the role may not create them: {explain(error)}"
        return ConfigurationError([Problem(what, f"let a DBA run, and set source.manage = false:\n  {hint}", where)])
    hints = {
        "53400": "raise max_replication_slots (needs a restart), or drop a slot that nobody uses",
        "55000": "set wal_level = logical (needs a restart)",
    }
    if error.sqlstate in hints:
        return ConfigurationError([Problem(explain(error), hints[error.sqlstate], where)])
    return unavailable(dsn, error)
