"""Drift of the source's objects (tables, publications, slot): what is wrong with them now, and what has changed.

Reads only, waits for no lock on a table, cheap enough for every ten seconds. Says what is, not what to do about it;
`setup.mend` can do a part.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, fields
from typing import Any, Final

import psycopg

from connector.model.changes import Lsn, TableName, format_lsn, parse_lsn
from connector.postgres.connections import ANSWER, KeptConnection
from connector.source.objects.catalog import TableFacts, kind_problem, read_tables
from connector.source.objects.commit_probe import CommitProbe
from connector.source.objects.object_state import State, TableState, state_of
from connector.source.objects.publication_pair import PublicationPair, endangered, exposed, gained, narrowed, read_pair

_SLOT: Final = "SELECT EXISTS (SELECT FROM pg_replication_slots WHERE slot_name = %s)"
_TRUSTED_FOR: Final = 60.0
"""Seconds between looks at everything at the least, though nothing was committed meanwhile."""
_MOMENT: Final = """
SELECT (CASE WHEN pg_is_in_recovery() THEN pg_last_wal_replay_lsn() ELSE pg_current_wal_lsn() END)::text,
       ARRAY(SELECT transactionid::text FROM pg_locks
             WHERE locktype = 'transactionid' AND mode = 'ExclusiveLock' AND granted)
"""
# Every transaction that writes holds a lock on its own id, which a snapshot doesn't name if it is the newest.
_REPLAYED: Final = "SELECT NOT pg_is_in_recovery() OR pg_last_wal_replay_lsn() >= %s::pg_lsn"


@dataclass(frozen=True, slots=True)
class Moment:
    """When a look was: how far the WAL was written, and which writing transactions ran (on a standby: not known)."""

    lsn: Lsn
    running: frozenset[str] = frozenset()


@dataclass(frozen=True, slots=True)
class Drift:
    """What is otherwise than it should be, or than it was. Falsy when nothing is. Tables are the mapped ones."""

    slot_gone: bool = False
    publications_gone: tuple[str, ...] = ()
    """The main one; or the second one, though there are tables for it."""
    narrowed: tuple[str, ...] = ()
    """Publications that don't carry all that they should: an operation is left out, or rows, or columns."""
    gone: tuple[TableName, ...] = ()
    """No table has the name: dropped or renamed."""
    unfit: tuple[TableName, ...] = ()
    """No publication can carry its changes: it is a view now, is unlogged, or has inheritance children."""
    unpublished: tuple[TableName, ...] = ()
    """There, and in neither publication."""
    endangered: tuple[TableName, ...] = ()
    """Mapped or not: in a publication without a usable replica identity, so that its own UPDATEs and DELETEs fail."""
    exposed: tuple[TableName, ...] = ()
    """Not mapped: their own UPDATEs and DELETEs fail, because a publication that a DBA made for all tables, or for a
    schema, has them."""
    identity_gained: tuple[TableName, ...] = ()
    """Could move from the second publication to the main one."""
    replaced: tuple[TableName, ...] = ()
    """Another table than before has the name: dropped and made anew, or put in its place by renaming."""
    republished: tuple[TableName, ...] = ()
    """Taken out of a publication since, or put into one, or both."""
    by_insert_only: tuple[TableName, ...] = ()
    """Lost its replica identity since, whether or not that endangers it still."""
    identity_changed: tuple[TableName, ...] = ()
    """Its replica identity or its primary key is another one, or a partition's replica identity is."""
    partitions_changed: tuple[TableName, ...] = ()
    """A partition was attached, detached, dropped, truncated or rewritten: the stream tells none of that when it
    publishes via the root."""
    columns_changed: tuple[TableName, ...] = ()
    """A column was added, dropped, renamed, retyped, or its NOT NULL or another property changed, even if it is by now
    as it was."""
    row_security_changed: tuple[TableName, ...] = ()
    """Row-level security was turned on or off, or its policies are others."""

    def __bool__(self) -> bool:
        return any(getattr(self, each.name) for each in fields(self))

    @property
    def to_mend(self) -> bool:
        """`setup.mend` has something to do, or to complain of."""
        return self.incomplete or bool(self.endangered or self.identity_gained)

    @property
    def incomplete(self) -> bool:
        """Changes are missing from the stream now."""
        return bool(self.narrowed or self.unpublished or self.publications_gone)


class ObjectWatch:
    """Compares the objects with how they were at the first look, over the connection that all looks share."""

    def __init__(self, looks: KeptConnection, slot: str, publication: str, tables: Sequence[TableName]) -> None:
        self._looks = looks
        self._slot = slot
        self._publication = publication
        self._tables = tuple(tables)
        self._base: State | None = None
        self._last: State | None = None
        self._commits = CommitProbe(_TRUSTED_FOR)
        self._found: tuple[PublicationPair, Sequence[TableFacts]] | None = None
        self.moment = Moment(Lsn(0))
        """Of the last look: what it saw was so by then."""

    @property
    def state(self) -> State:
        """What the last look saw."""
        assert self._last is not None  # noqa: S101 -- only asked after a look
        return self._last

    @property
    def changed(self) -> bool:
        """The last look saw something otherwise than the base."""
        return self._last != self._base

    @property
    def analysed_alike(self) -> bool:
        """Nothing of that makes a difference to the analysis of a mapping."""
        base = self._base.tables if self._base is not None else {}
        last = self.state.tables
        return base.keys() == last.keys() and all(last[name].analysed_alike(base[name]) for name in last)

    def begin(self, base: State | None) -> None:
        """How they were before, when that is remembered from another time."""
        self._base = base

    async def look(self) -> Drift:
        """A few short queries. The first look without a base sets it. Raises SourceUnavailable."""
        async with self._looks.use() as conn:
            row = await (await conn.execute(_SLOT, (self._slot,))).fetchone()
            pair, facts = await self._read(conn)
            moment = await _moment(conn)
        self.moment, self._last = moment, state_of(facts, pair)
        self._base = self._base or self._last
        return self._drift(row == (True,), pair, facts)

    def accept(self) -> None:
        """What the last look saw is how the objects shall be from now on."""
        self._base = self._last

    async def _read(self, conn: psycopg.AsyncConnection[Any]) -> tuple[PublicationPair, Sequence[TableFacts]]:
        """What takes the server some work with thousands of partitions, so not while it is as it was."""
        if self._found is None or not await self._commits.none_since(conn):
            self._found = None
            self._found = await read_pair(conn, self._publication), await read_tables(conn, self._tables)
        return self._found

    def _drift(self, slot: bool, pair: PublicationPair, facts: Sequence[TableFacts]) -> Drift:
        there = [fact for fact in facts if fact.kind is not None]
        fit = [fact for fact in there if kind_problem(fact, self._tables) is None]
        base = self._base.tables if self._base is not None else {}
        both = [(name, base[name], now) for name, now in self.state.tables.items() if name in base and now.kind]
        return Drift(
            slot_gone=not slot,
            publications_gone=_gone(pair, fit),
            narrowed=narrowed(pair, fit),
            gone=_names(fact for fact in facts if fact.kind is None),
            unfit=_names(fact for fact in there if fact not in fit),
            unpublished=_names(fact for fact in fit if not pair.covers(fact.table)),
            endangered=tuple(sorted(endangered(pair, fit))),
            exposed=tuple(sorted(exposed(pair, fit))),
            identity_gained=tuple(gained(pair, [fact.table for fact in fit if fact.identified])),
            replaced=_where(both, "oid"),
            republished=_where(both, "published"),
            by_insert_only=tuple(name for name, was, now in both if was.identified and not now.identified),
            identity_changed=_where(both, "identity"),
            partitions_changed=_where(both, "partitions"),
            columns_changed=_where(both, "columns"),
            row_security_changed=_where(both, "row_security"),
        )


class ReplicaWatch:
    """How far another server has replayed. It is seldom asked, so each time over a connection of its own, and each
    answer must come `within` seconds. `None` for the source itself."""

    def __init__(self, read_dsn: str | None, within: float = ANSWER) -> None:
        self._dsn = read_dsn
        self._within = within

    async def shows(self, lsn: Lsn) -> bool:
        """Whether a read begun now sees everything up to there. Raises SourceUnavailable."""
        if self._dsn is None:
            return True
        connection = KeptConnection(self._dsn, self._within)
        try:
            async with connection.use() as conn:
                return await (await conn.execute(_REPLAYED, (format_lsn(lsn),))).fetchone() == (True,)
        finally:
            await connection.close()


async def _moment(conn: psycopg.AsyncConnection[Any]) -> Moment:
    row = await (await conn.execute(_MOMENT)).fetchone()
    lsn, running = row or ("0/0", ())
    return Moment(parse_lsn(lsn or "0/0"), frozenset(running))


def _where(both: Sequence[tuple[TableName, TableState, TableState]], what: str) -> tuple[TableName, ...]:
    return tuple(name for name, was, now in both if getattr(was, what) != getattr(now, what))


def _gone(pair: PublicationPair, facts: Sequence[TableFacts]) -> tuple[str, ...]:
    names = [] if pair.main is not None else [pair.name]
    if pair.inserts is None and not all(fact.identified for fact in facts):
        names.append(pair.inserts_name)
    return tuple(names)


def _names(facts: Iterable[TableFacts]) -> tuple[TableName, ...]:
    return tuple(fact.table for fact in facts)
