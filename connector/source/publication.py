"""One publication: what it publishes now, what is wrong with that, and the SQL that mends it.

https://www.postgresql.org/docs/current/sql-createpublication.html. Never writes a column list: with one, dropping a
column or changing a replica identity would break the OMS. Which tables belong into which is `pair`'s to know.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from typing import Any, Final, TypeAlias

import psycopg
from psycopg import sql
from psycopg.rows import dict_row

from connector.changes import Operation, TableName
from connector.errors import Problem
from connector.source.identities import IDENTIFIED

Operations: TypeAlias = tuple[Operation, ...]

EVERYTHING: Final[Operations] = tuple(Operation)
INSERTS: Final[Operations] = (Operation.INSERT, Operation.TRUNCATE)
"""What Postgres publishes of a table without a replica identity, and lets it be updated all the same."""

# By `to_jsonb`, because servers before 15 have neither row filters nor column lists. The view shows schemas and ALL
# TABLES resolved, but leaf partitions in place of roots unless via root.
_STATE: Final = f"""
SELECT p.pubname::text AS name, puballtables AS all_tables, pubviaroot AS via_root,
       pg_has_role(pubowner, 'USAGE') AS owned,
       ARRAY[pubinsert, pubupdate, pubdelete, pubtruncate] AS operations,
       (SELECT coalesce(jsonb_agg(jsonb_build_array(schemaname, tablename)), '[]') FROM pg_publication_tables t
        WHERE t.pubname = p.pubname) AS covered,
       (SELECT coalesce(jsonb_agg(jsonb_build_array(n.nspname, c.relname, {IDENTIFIED}, to_jsonb(r)->>'prqual' IS NULL,
                                                    to_jsonb(r)->>'prattrs' IS NULL)), '[]')
        FROM pg_publication_rel r JOIN pg_class c ON c.oid = r.prrelid JOIN pg_namespace n ON n.oid = c.relnamespace
        WHERE r.prpubid = p.oid) AS listed
FROM pg_publication p WHERE p.pubname = ANY(%s)
"""  # noqa: S608 -- constants alone are put together


@dataclass(frozen=True, slots=True)
class Publication:
    """A publication as it is. `tables`: those it covers, by whatever clause; `listed`: those it names; `unidentified`:
    those it names that have no usable replica identity."""

    name: str
    all_tables: bool
    via_root: bool
    owned: bool
    operations: frozenset[Operation]
    tables: frozenset[TableName]
    listed: frozenset[TableName]
    unidentified: frozenset[TableName]
    row_filters: frozenset[TableName]
    column_lists: frozenset[TableName]

    def covers(self, table: TableName) -> bool:
        return self.all_tables or table in self.tables

    @property
    def needs_identities(self) -> bool:
        """A table in it can't be updated or deleted from without a replica identity."""
        return Operation.UPDATE in self.operations or Operation.DELETE in self.operations


async def read_publications(conn: psycopg.AsyncConnection[Any], names: Sequence[str]) -> dict[str, Publication]:
    """Those that exist, by name."""
    async with conn.cursor(row_factory=dict_row) as cursor:
        rows = await (await cursor.execute(_STATE, (list(names),))).fetchall()
    return {row["name"]: _publication(**row) for row in rows}


def _publication(
    name: str,
    all_tables: bool,
    via_root: bool,
    owned: bool,
    operations: Sequence[bool],
    covered: Sequence[Sequence[str]],
    listed: Sequence[Sequence[Any]],
) -> Publication:
    def chosen(place: int) -> frozenset[TableName]:
        return frozenset(TableName(*each[:2]) for each in listed if not each[place])

    named = frozenset(TableName(*each[:2]) for each in listed)
    return Publication(
        name,
        all_tables,
        via_root,
        owned,
        operations=frozenset(operation for operation, yes in zip(EVERYTHING, operations, strict=True) if yes),
        tables=named | {TableName(*each) for each in covered},
        listed=named,
        unidentified=chosen(2),
        row_filters=chosen(3),
        column_lists=chosen(4) - chosen(3),
    )


def missing_tables(publication: Publication | None, tables: Sequence[TableName]) -> list[TableName]:
    """Those that the publication doesn't cover."""
    return [table for table in tables if publication is None or not publication.covers(table)]


def repairs(
    name: str, publication: Publication | None, tables: Sequence[TableName], operations: Operations
) -> list[sql.Composed]:
    """The statements that make the publication cover the tables, none when it does."""
    if publication is None:
        return [create_statement(name, tables, operations)]
    statements = []
    if publication.operations != frozenset(operations) or not publication.via_root:
        alter = sql.SQL("ALTER PUBLICATION {} SET ({})")
        statements.append(alter.format(sql.Identifier(name), _options(operations)))
    if missing := missing_tables(publication, tables):
        add = sql.SQL("ALTER PUBLICATION {} ADD TABLE {}")
        statements.append(add.format(sql.Identifier(name), _listed(missing)))
    return statements


def create_statement(name: str, tables: Sequence[TableName], operations: Operations) -> sql.Composed:
    clause = sql.SQL("FOR TABLE {} ").format(_listed(tables)) if tables else sql.SQL("")
    create = sql.SQL("CREATE PUBLICATION {} {}WITH ({})")
    return create.format(sql.Identifier(name), clause, _options(operations))


def drop_statement(name: str, table: TableName) -> sql.Composed:
    drop = sql.SQL("ALTER PUBLICATION {} DROP TABLE {}")
    return drop.format(sql.Identifier(name), _listed([table]))


def shortcomings(
    name: str,
    publication: Publication | None,
    tables: Sequence[TableName],
    operations: Operations,
    partitioned: Collection[TableName],
) -> list[Problem]:
    """What keeps the publication from carrying those operations of the tables, with the SQL that mends it."""
    where = f"publication {name}"
    mend = " ".join(f"{statement.as_string()};" for statement in repairs(name, publication, tables, operations))
    if publication is None:
        return [Problem("there is no such publication", mend, where)]
    found = []
    if missing := missing_tables(publication, tables):
        found.append(Problem(f"it does not cover {', '.join(map(str, missing))}", mend, where))
    if lacking := [operation for operation in operations if operation not in publication.operations]:
        found.append(
            Problem(f"it does not publish all of {_and(operations)}: {_and(lacking)} is left out", mend, where)
        )
    if not publication.via_root and any(table in partitioned for table in tables):
        found.append(Problem("it publishes partitions under their own names", mend, where))
    return found + narrowing_problems(publication, tables)


def narrowing_problems(publication: Publication, tables: Sequence[TableName]) -> list[Problem]:
    """Row filters hide changes; column lists are dangerous to the OMS. Only their maker can say what they are for."""
    where = f"publication {publication.name}"
    found = []
    for table in tables:
        named = sql.SQL("ALTER PUBLICATION {0} DROP TABLE {1}; ALTER PUBLICATION {0} ADD TABLE {1};")
        mend = named.format(sql.Identifier(publication.name), sql.Identifier(table.schema, table.name)).as_string()
        if table in publication.row_filters:
            found.append(Problem(f"its row filter on {table} hides changes", mend, where))
        if table in publication.column_lists:
            what = f"its column list on {table} hides columns, and can make the table's own UPDATEs fail"
            found.append(Problem(what, mend, where, warning=True))
    return found


def _options(operations: Operations) -> sql.Composed:
    options = sql.SQL("publish = {}, publish_via_partition_root = true")
    return options.format(sql.Literal(", ".join(operations)))


def _and(operations: Sequence[Operation]) -> str:
    *others, last = operations
    return f"{', '.join(others)} and {last}" if others else last


def _listed(tables: Sequence[TableName]) -> sql.Composed:
    # ONLY: inheritance children would come under names of their own. It means nothing for partitioned tables.
    return sql.SQL(", ").join(
        sql.SQL("ONLY {}").format(sql.Identifier(table.schema, table.name)) for table in sorted(tables)
    )
