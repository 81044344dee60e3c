"""One publication: what it publishes now, what is wrong with that, and the SQL that mends it.

https://www.postgresql.org/docs/current/sql-createpublication.html. Never writes a column list: with one, dropping a
column or changing a replica identity would break the OMS. Which tables belong into which is known to
`publication_pair`.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final, TypeAlias

import psycopg
from psycopg import sql
from psycopg.rows import dict_row

from connector.model.changes import Operation, TableName
from connector.model.errors import Problem
from connector.postgres.quoting import quoted
from connector.source.objects.replica_identities import IDENTIFIED, NEEDS_GENERATED

Operations: TypeAlias = tuple[Operation, ...]

EVERYTHING: Final[Operations] = tuple(Operation)
INSERTS: Final[Operations] = (Operation.INSERT, Operation.TRUNCATE)
"""What Postgres publishes of a table without a replica identity, and lets it be updated all the same."""

GENERATED_SINCE: Final = 180000
"""The server_version_num from which on a publication says whether stored generated columns are published."""

# By `to_jsonb`, because not every server has row filters, column lists (15) and generated columns (18). The view shows
# schemas resolved, but leaf partitions in place of roots unless via root. It waits for whoever locks a table, so it is
# asked only where the tables aren't simply named. `oid` and `xmin` are others once somebody altered anything.
_STATE: Final = """
SELECT p.pubname::text AS name, puballtables AS all_tables, pubviaroot AS via_root,
       pg_has_role(pubowner, 'USAGE') AS owned, concat_ws(':', p.oid, p.xmin) AS stamp,
       coalesce(to_jsonb(p)->>'pubgencols', 's') = 's' AS generated,
       ARRAY[pubinsert, pubupdate, pubdelete, pubtruncate] AS operations,
       CASE WHEN puballtables OR (pubviaroot AND {no_schemas}) THEN '[]' ELSE
         (SELECT coalesce(jsonb_agg(jsonb_build_array(schemaname, tablename)), '[]') FROM pg_publication_tables t
          WHERE t.pubname = p.pubname) END AS covered,
       (SELECT coalesce(jsonb_agg(jsonb_build_array(
            n.nspname, c.relname, r.oid::text, {identified}, to_jsonb(r)->>'prqual' IS NULL,
            to_jsonb(r)->>'prattrs' IS NULL,
            coalesce(to_jsonb(p)->>'pubgencols', 's') = 's' OR NOT {needs_generated})), '[]')
        FROM pg_publication_rel r JOIN pg_class c ON c.oid = r.prrelid JOIN pg_namespace n ON n.oid = c.relnamespace
        WHERE r.prpubid = p.oid) AS listed
FROM pg_publication p WHERE p.pubname = ANY(%s)
"""
_NO_SCHEMAS: Final = "NOT EXISTS (SELECT FROM pg_publication_namespace s WHERE s.pnpubid = p.oid)"
_SCHEMAS_SINCE: Final = 150000
_EXPOSED: Final = """
SELECT p.pubname::text, n.nspname::text, c.relname::text
FROM pg_publication p JOIN pg_class c ON p.puballtables OR {in_schema} JOIN pg_namespace n ON n.oid = c.relnamespace
WHERE p.pubname = ANY(%s) AND c.relkind = 'r' AND c.relpersistence = 'p' AND c.oid >= 16384
AND n.nspname NOT IN ('pg_catalog', 'information_schema') AND NOT {identified}
AND NOT EXISTS (SELECT FROM pg_publication_rel r WHERE r.prpubid = p.oid AND r.prrelid = c.oid)
"""
_IN_SCHEMA: Final = "c.relnamespace IN (SELECT s.pnnspid FROM pg_publication_namespace s WHERE s.pnpubid = p.oid)"


@dataclass(frozen=True, slots=True)
class Publication:
    """A publication as it is. `stamp`: another one once its options were altered, or it was made anew. `generated`:
    stored generated columns are published (or the server leaves no choice). `tables`: those it covers, by whatever
    clause; `listed`: those it names, each with another number once it was taken out and put back; `unidentified`: those
    it names that have no usable replica identity; `ungenerated`: those whose replica identity needs
    `generated` where that isn't so."""

    name: str
    all_tables: bool
    via_root: bool
    owned: bool
    stamp: str
    generated: bool
    operations: frozenset[Operation]
    tables: frozenset[TableName]
    listed: Mapping[TableName, str]
    unidentified: frozenset[TableName]
    row_filters: frozenset[TableName]
    column_lists: frozenset[TableName]
    ungenerated: frozenset[TableName]

    def covers(self, table: TableName) -> bool:
        return self.all_tables or table in self.tables

    @property
    def covers_unnamed(self) -> bool:
        """It is FOR ALL TABLES or IN SCHEMA."""
        return self.all_tables or bool(self.tables - self.listed.keys())

    @property
    def endangered(self) -> frozenset[TableName]:
        """Tables that it names and whose own UPDATEs and DELETEs fail for it."""
        if not self.needs_identities:
            return frozenset()
        return self.unidentified if self.generated else self.unidentified | self.ungenerated

    @property
    def needs_identities(self) -> bool:
        """A table in it can't be updated or deleted from without a replica identity."""
        return Operation.UPDATE in self.operations or Operation.DELETE in self.operations


async def read_exposed(conn: psycopg.AsyncConnection[Any], names: Sequence[str]) -> dict[str, frozenset[TableName]]:
    """Tables of the whole database that publications cover by FOR ALL TABLES or IN SCHEMA, without naming them, and
    that have no usable replica identity: their UPDATEs and DELETEs fail while the publication publishes those."""
    in_schema = _IN_SCHEMA if conn.info.server_version >= _SCHEMAS_SINCE else "false"
    query = _EXPOSED.format(in_schema=in_schema, identified=IDENTIFIED)
    found: dict[str, set[TableName]] = {}
    for name, schema, table in await (await conn.execute(query.encode(), (list(names),))).fetchall():
        found.setdefault(name, set()).add(TableName(schema, table))
    return {name: frozenset(tables) for name, tables in found.items()}


async def read_publications(conn: psycopg.AsyncConnection[Any], names: Sequence[str]) -> dict[str, Publication]:
    """Those that exist, by name."""
    no_schemas = _NO_SCHEMAS if conn.info.server_version >= _SCHEMAS_SINCE else "true"
    query = _STATE.format(no_schemas=no_schemas, identified=IDENTIFIED, needs_generated=NEEDS_GENERATED)
    async with conn.cursor(row_factory=dict_row) as cursor:
        rows = await (await cursor.execute(query.encode(), (list(names),))).fetchall()
    return {row["name"]: _publication(**row) for row in rows}


def _publication(
    name: str,
    all_tables: bool,
    via_root: bool,
    owned: bool,
    stamp: str,
    generated: bool,
    operations: Sequence[bool],
    covered: Sequence[Sequence[str]],
    listed: Sequence[Sequence[Any]],
) -> Publication:
    def chosen(place: int) -> frozenset[TableName]:
        return frozenset(TableName(*each[:2]) for each in listed if not each[place])

    named = {TableName(*each[:2]): each[2] for each in listed}
    return Publication(
        name,
        all_tables,
        via_root,
        owned,
        stamp,
        generated,
        operations=frozenset(operation for operation, yes in zip(EVERYTHING, operations, strict=True) if yes),
        tables=frozenset(named) | {TableName(*each) for each in covered},
        listed=named,
        unidentified=chosen(3),
        row_filters=chosen(4),
        column_lists=chosen(5) - chosen(4),
        ungenerated=chosen(6),
    )


@dataclass(frozen=True, slots=True)
class Target:
    """A publication as it is, None where there is none, and the tables and operations that it shall carry.
    `generated`: the server publishes stored generated columns only when told."""

    name: str
    publication: Publication | None
    tables: Sequence[TableName]
    operations: Operations
    generated: bool

    @property
    def missing(self) -> list[TableName]:
        """The tables that the publication doesn't cover."""
        found = self.publication
        return [table for table in self.tables if found is None or not found.covers(table)]

    def repairs(self) -> list[sql.Composed]:
        """The statements that make the publication cover the tables, none when it does. One a table, so that none holds
        the lock on one table while it waits for another's: whoever of the OMS wants both would wait too, or be
        cancelled in a deadlock."""
        return [*self._made(()), *(add_statement(self.name, [table]) for table in self.missing)]

    def mending(self) -> str:
        """What `repairs` would do, in as few statements as possible, for a person to run."""
        statements = self._made(self.tables)
        if self.publication is not None and self.missing:
            statements.append(add_statement(self.name, self.missing))
        return " ".join(f"{statement.as_string()};" for statement in statements)

    def _made(self, tables: Sequence[TableName]) -> list[sql.Composed]:
        """Makes the publication, with these tables, or sets its options."""
        found = self.publication
        if found is None:
            clause = sql.SQL("FOR TABLE {} ").format(_listed(tables)) if tables else sql.SQL("")
            create = sql.SQL("CREATE PUBLICATION {} {}WITH ({})")
            return [create.format(sql.Identifier(self.name), clause, _options(self.operations, self.generated))]
        if found.operations == frozenset(self.operations) and found.via_root and found.generated:
            return []
        return [options_statement(self.name, self.operations, self.generated)]

    def shortcomings(self, partitioned: Collection[TableName]) -> list[Problem]:
        """What keeps the publication from carrying those operations of the tables, with the SQL that mends it."""
        found, where, mend = self.publication, f"publication {self.name}", self.mending()
        if found is None:
            return [Problem("there is no such publication", mend, where)]
        problems = []
        if self.missing:
            problems.append(Problem(f"it does not cover {', '.join(map(str, self.missing))}", mend, where))
        if lacking := [operation for operation in self.operations if operation not in found.operations]:
            what = f"it does not publish all of {_and(self.operations)}: {_and(lacking)} is left out"
            problems.append(Problem(what, mend, where))
        if not found.via_root and any(table in partitioned for table in self.tables):
            problems.append(Problem("it publishes partitions under their own names", mend, where))
        return problems + self.conflicts()

    def conflicts(self) -> list[Problem]:
        """Row filters hide changes; column lists are dangerous to the OMS. Only their maker can say what they are
        for."""
        if self.publication is None:
            return []
        problems = []
        for table in self.tables:
            alter, named = f"ALTER PUBLICATION {quoted(self.name)}", quoted(table.schema, table.name)
            mend = f"{alter} DROP TABLE {named}; {alter} ADD TABLE {named};"
            if table in self.publication.row_filters:
                what = f"its row filter on {table} hides changes"
                problems.append(Problem(what, mend, f"publication {self.name}"))
            if table in self.publication.column_lists:
                what = f"its column list on {table} hides columns, and can make the table's own UPDATEs fail"
                problems.append(Problem(what, mend, f"publication {self.name}", warning=True))
        return problems


def options_statement(name: str, operations: Operations, generated: bool) -> sql.Composed:
    """Locks no table."""
    return sql.SQL("ALTER PUBLICATION {} SET ({})").format(sql.Identifier(name), _options(operations, generated))


def add_statement(name: str, tables: Sequence[TableName]) -> sql.Composed:
    return sql.SQL("ALTER PUBLICATION {} ADD TABLE {}").format(sql.Identifier(name), _listed(tables))


def drop_statement(name: str, table: TableName) -> sql.Composed:
    drop = sql.SQL("ALTER PUBLICATION {} DROP TABLE {}")
    return drop.format(sql.Identifier(name), _listed([table]))


def _options(operations: Operations, generated: bool) -> sql.Composed:
    options = sql.SQL("publish = {}, publish_via_partition_root = true{}")
    more = sql.SQL(", publish_generated_columns = stored") if generated else sql.SQL("")
    return options.format(sql.Literal(", ".join(operations)), more)


def _and(operations: Sequence[Operation]) -> str:
    *others, last = operations
    return f"{', '.join(others)} and {last}" if others else last


def _listed(tables: Sequence[TableName]) -> sql.Composed:
    # ONLY: inheritance children would come under names of their own. It means nothing for partitioned tables.
    return sql.SQL(", ").join(
        sql.SQL("ONLY {}").format(sql.Identifier(table.schema, table.name)) for table in sorted(tables)
    )
