"""What has become of the source's objects since the connector looked first: tables, publications, slot.

Reads only, cheap enough for every ten seconds. Says what is, not what to do about it; `setup.mend` can do a part.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, fields
from typing import Final

from connector.changes import TableName
from connector.source.catalog import TableFacts, kind_problem, read_tables
from connector.source.connections import KeptConnection
from connector.source.pair import Pair, endangered, gained, read_pair

_SLOT: Final = "SELECT EXISTS (SELECT FROM pg_replication_slots WHERE slot_name = %s)"


@dataclass(frozen=True, slots=True)
class Drift:
    """What is otherwise than it should be, or than it was. Falsy when nothing is. Tables are the mapped ones."""

    slot_gone: bool = False
    publications_gone: tuple[str, ...] = ()
    """The main one; or the second one, though there are tables for it."""
    gone: tuple[TableName, ...] = ()
    """No table has the name: dropped or renamed."""
    unfit: tuple[TableName, ...] = ()
    """No publication can carry its changes: it is a view now, is unlogged, or has inheritance children."""
    replaced: tuple[TableName, ...] = ()
    """Another table than before has the name: dropped and made anew, or put in its place by renaming."""
    unpublished: tuple[TableName, ...] = ()
    """There, and in neither publication."""
    endangered: tuple[TableName, ...] = ()
    """Mapped or not: in a publication without a usable replica identity, so that its own UPDATEs and DELETEs fail."""
    by_insert_only: tuple[TableName, ...] = ()
    """Lost its replica identity since, whether or not that endangers it still."""
    identity_gained: tuple[TableName, ...] = ()
    """Could move from the second publication to the main one."""
    partitions_changed: tuple[TableName, ...] = ()
    """A partition was attached, detached, dropped, truncated or rewritten: the stream tells none of that when it
    publishes via the root."""
    columns_changed: tuple[TableName, ...] = ()
    """A column was added, dropped, renamed, retyped, or its NOT NULL changed."""

    def __bool__(self) -> bool:
        return any(getattr(self, each.name) for each in fields(self))


class ObjectWatch:
    """Compares the objects with how they were at the first look, over one connection of its own."""

    def __init__(self, dsn: str, slot: str, publication: str, tables: Sequence[TableName]) -> None:
        self._connection = KeptConnection(dsn)
        self._slot = slot
        self._publication = publication
        self._tables = tuple(tables)
        self._base: dict[TableName, TableFacts] = {}
        self._last: dict[TableName, TableFacts] = {}

    async def look(self) -> Drift:
        """Three short queries. The first look sets what later ones are compared with. Raises SourceUnavailable."""
        async with self._connection.use() as conn:
            row = await (await conn.execute(_SLOT, (self._slot,))).fetchone()
            pair = await read_pair(conn, self._publication)
            facts = await read_tables(conn, self._tables)
        self._last = {fact.table: fact for fact in facts}
        self._base = self._base or self._last
        return self._drift(row == (True,), pair, facts)

    def accept(self) -> None:
        """What the last look saw is how the objects shall be from now on."""
        self._base = self._last

    async def close(self) -> None:
        await self._connection.close()

    def _drift(self, slot: bool, pair: Pair, facts: Sequence[TableFacts]) -> Drift:
        there = [fact for fact in facts if fact.kind is not None]
        fit = [fact for fact in there if kind_problem(fact, self._tables) is None]
        bases = [(fact, self._base[fact.table]) for fact in there]
        return Drift(
            slot_gone=not slot,
            publications_gone=_gone(pair, fit),
            gone=_names(fact for fact in facts if fact.kind is None),
            unfit=_names(fact for fact in there if fact not in fit),
            replaced=_names(fact for fact, base in bases if fact.oid != base.oid),
            unpublished=_names(fact for fact in fit if not pair.covers(fact.table)),
            endangered=tuple(sorted(endangered(pair, fit))),
            by_insert_only=_names(fact for fact, base in bases if base.identified and not fact.identified),
            identity_gained=tuple(gained(pair, [fact.table for fact in fit if fact.identified])),
            partitions_changed=_names(fact for fact, base in bases if fact.partitions != base.partitions),
            columns_changed=_names(fact for fact, base in bases if fact.columns != base.columns),
        )


def _gone(pair: Pair, facts: Sequence[TableFacts]) -> tuple[str, ...]:
    names = [] if pair.main is not None else [pair.name]
    if pair.inserts is None and not all(fact.identified for fact in facts):
        names.append(pair.inserts_name)
    return tuple(names)


def _names(facts: Iterable[TableFacts]) -> tuple[TableName, ...]:
    return tuple(fact.table for fact in facts)
