"""Making the publications and the slot, or making sure that somebody did. Publications first: a slot can't decode what
was written before its publication existed.

Every statement runs with a lock_timeout. Later repairs are `publication_repair`'s, taking back is `teardown`'s.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final, Literal, TypeAlias

import psycopg
from psycopg import sql

from connector.model.changes import TableName
from connector.model.errors import ConfigurationError, Problem, SourceUnavailable
from connector.postgres.connections import connection, reading
from connector.postgres.errors import explain, unavailable
from connector.source.objects.catalog import TableFacts, kind_problem, read_tables, table_problems
from connector.source.objects.publication_pair import (
    PublicationPair,
    conflicts,
    insert_only,
    on_primary,
    pair_problems,
    pair_repairs,
    read_pair,
    urgent_repairs,
)
from connector.source.objects.slot import (
    OnWait,
    SlotReport,
    create_slot,
    drop_slot,
    drop_slot_statement,
    read_slot,
    slot_problems,
)

_LOCK_TIMEOUT: Final = 3.0

OldSlot: TypeAlias = Literal["keep", "mend", "anew"]
"""What may become of a slot that exists: nothing; made anew when it can't be read any more; made anew in any case."""


@dataclass(frozen=True, slots=True)
class SetupResult:
    """What was done, and what the stream carries now."""

    slot_created: bool
    slot_lost: str | None = None
    """Why there was a slot to be made anew: `lost` or `undecodable`, as of SlotLost."""
    tables_added: tuple[TableName, ...] = ()
    """Now published, and in no publication before."""
    tables_by_insert_only: tuple[TableName, ...] = ()
    """All whose updates and deletes the stream doesn't carry: only a sweep finds those."""
    publications_changed: bool = False
    """Any statement was run on a publication."""
    resubscribe: bool = False
    """A publication was made that a running stream doesn't follow yet: see `PostgresSource.reconnect`."""


@dataclass(frozen=True, slots=True)
class _Found:
    facts: Sequence[TableFacts]
    pair: PublicationPair
    slot: SlotReport | None


async def ensure(
    dsn: str,
    slot: str,
    publication: str,
    tables: Sequence[TableName],
    manage: bool,
    on_wait: OnWait | None = None,
    *,
    keep_slot: bool = False,
) -> SetupResult:
    """Have publications that cover the tables and a slot that decodes them.

    With `manage` they are created or extended, tables that lost or gained a replica identity change over, and a slot
    that can't be read any more is made anew, unless `keep_slot`: a person wants to look at it first; without, only
    verified. While the slot waits for running transactions, `on_wait` is told who they are. Raises
    ConfigurationError with the SQL to run, SourceUnavailable (also when a lock can't be had in 3 s: try again).
    """
    found = await _look(dsn, slot, publication, tables, strict=True)
    if not manage:
        _demand(verify_problems(slot, found.facts, found.pair, found.slot))
        return SetupResult(slot_created=False, tables_by_insert_only=insert_only(found.pair, found.facts))
    if keep_slot and found.slot is None:
        _demand([no_slot(slot)])
    return await _make(dsn, slot, found, on_wait, "keep" if keep_slot else "mend")


async def renew(
    dsn: str, slot: str, publication: str, tables: Sequence[TableName], on_wait: OnWait | None
) -> SetupResult:
    """As `ensure` with `manage`, for a slot that turned out to be lost: it is made anew in any case. Nobody may read it
    meanwhile. Tables that can't be followed at all are left out, as by `mend`."""
    found = await _look(dsn, slot, publication, tables, strict=False)
    return await _make(dsn, slot, found, on_wait, "anew")


async def mend(dsn: str, slot: str, publication: str, tables: Sequence[TableName]) -> SetupResult:
    """The publications as `ensure` with `manage` has them, while running: tables that can't be followed at all
    (dropped, say) are left out instead of refused, so that they don't keep the others from being mended. Changes
    nothing where nothing is wrong. The slot is `renew`'s: only who follows it knows what was missed."""
    return await _make(dsn, slot, await _look(dsn, slot, publication, tables, strict=False), None, "keep")


async def _make(dsn: str, slot: str, found: _Found, on_wait: OnWait | None, old: OldSlot) -> SetupResult:
    pair, facts = found.pair, found.facts
    lost = _lost(found) if old != "keep" else None
    unfit = _unfit(slot, found, old)
    statements = _statements(found, unfit)
    try:
        if statements:
            async with connection(dsn, read_only=False, lock_timeout=_LOCK_TIMEOUT) as conn:
                for statement in statements:
                    await conn.execute(statement)
        _demand(unfit)
        kept = old == "keep" or (found.slot is not None and old == "mend" and lost is None)
        if found.slot is not None and not kept:
            await drop_slot(dsn, slot)
        created = not kept and await create_slot(dsn, slot, on_wait)
    except psycopg.Error as error:
        raise _translate(dsn, slot, found, error) from None
    keyless = tuple(fact.table for fact in facts if not fact.identified)
    return SetupResult(
        created,
        slot_lost=lost,
        tables_added=tuple(fact.table for fact in facts if not pair.covers(fact.table)),
        tables_by_insert_only=keyless,
        publications_changed=bool(statements),
        resubscribe=bool(keyless) and pair.inserts is None and not created,
    )


def _statements(found: _Found, unfit: Sequence[Problem]) -> list[sql.Composed]:
    """What makes the OMS's own statements fail is taken back even where nothing else can be done. What would be nicer
    and is no problem (an option, as `check` sees it) is left alone in a publication that somebody else owns."""
    pair, facts = found.pair, found.facts
    theirs = pair.main is not None and not all(each.owned for each in pair.existing)
    if _serious(unfit) or (theirs and not pair_problems(pair, facts)):
        return urgent_repairs(pair)
    return pair_repairs(pair, facts)


def verify_problems(
    slot: str, facts: Sequence[TableFacts], pair: PublicationPair, report: SlotReport | None
) -> list[Problem]:
    """What a DBA still has to do when the connector may not: the SQL is in each hint."""
    problems = pair_problems(pair, facts)
    if report is None:
        return [*problems, no_slot(slot)]
    return problems + slot_problems(slot, report)


def no_slot(slot: str) -> Problem:
    """What a DBA does where the connector may not make it."""
    return Problem("there is no such slot", slot_statement(slot), f"slot {slot}")


def slot_statement(slot: str, *, failover: bool = False) -> str:
    """`failover`, which servers know from 17 on: standbys have the slot, too."""
    create = sql.SQL("SELECT pg_create_logical_replication_slot({}, 'pgoutput'{});")
    return create.format(sql.Literal(slot), sql.SQL(", failover => true" if failover else "")).as_string()


async def _look(dsn: str, slot: str, publication: str, tables: Sequence[TableName], strict: bool) -> _Found:
    """`strict`: raise ConfigurationError for tables that can't be followed, else leave them out."""
    async with reading(dsn) as conn:
        if strict:
            _demand(await table_problems(conn, tables))
        facts = [fact for fact in await read_tables(conn, tables) if kind_problem(fact, tables) is None]
        return _Found(facts, await read_pair(conn, publication), await read_slot(conn, slot))


def _lost(found: _Found) -> str | None:
    """Why the slot can't be read any more, in one word; None when it can, or when there is none."""
    if found.slot is None:
        return None
    if found.slot.lost is not None:
        return "lost"
    return "undecodable" if found.pair.main is None else None


def _unfit(slot: str, found: _Found, old: OldSlot) -> list[Problem]:
    """What no statement of ours can mend, or may."""
    problems = conflicts(found.pair, found.facts)
    if found.slot is None:
        return problems
    renewed = old != "keep"
    problems += slot_problems(slot, found.slot, renewed=renewed)
    if found.pair.main is None and not renewed and not _serious(problems):
        what = f"it is older than the publication {found.pair.name}, which is gone, so it can't be decoded any more"
        hint = f"{drop_slot_statement(slot)} and start again: a new slot is followed by a comparison of every order"
        problems.append(Problem(what, hint, f"slot {slot}"))
    return problems


def _serious(problems: Sequence[Problem]) -> bool:
    return any(not problem.warning for problem in problems)


def _demand(problems: Sequence[Problem]) -> None:
    if _serious(problems):
        raise ConfigurationError(problems)


def _translate(dsn: str, slot: str, found: _Found, error: psycopg.Error) -> ConfigurationError | SourceUnavailable:
    where = f"slot {slot}, publication {found.pair.name}"
    if isinstance(error, psycopg.errors.LockNotAvailable):
        return SourceUnavailable(
            f"{where}: a table is locked by another session (waited {_LOCK_TIMEOUT:.0f} s, so as not to queue others"
            " behind us); will be tried again"
        )
    if isinstance(error, psycopg.errors.UndefinedObject | psycopg.errors.DuplicateObject):
        return SourceUnavailable(f"{where}: somebody else altered the publication meanwhile: {explain(error)}")
    if isinstance(error, psycopg.errors.ReadOnlySqlTransaction):
        return ConfigurationError([on_primary(found.pair, found.facts, where)])
    if isinstance(error, psycopg.errors.InsufficientPrivilege):
        problems = verify_problems(slot, found.facts, found.pair, found.slot)
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
