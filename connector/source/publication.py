"""The publication: what it publishes now, what is wrong with that, and the SQL that mends it.

https://www.postgresql.org/docs/current/sql-createpublication.html. Never writes a column list: with one, dropping a
column or changing a replica identity would break the OMS. Never takes a table out: somebody else may have put it in.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Final

import psycopg
from psycopg import sql

from connector.changes import TableName
from connector.errors import Problem
from connector.source.catalog import TableFacts

_OPTIONS: Final = sql.SQL("publish = 'insert, update, delete, truncate', publish_via_partition_root = true")

_STATE: Final = """
SELECT puballtables, pubviaroot, pubinsert AND pubupdate AND pubdelete AND pubtruncate, pg_has_role(pubowner, 'USAGE')
FROM pg_publication WHERE pubname = %s
"""
# The view shows schemas and ALL TABLES resolved, but leaf partitions in place of roots unless via root; so both.
_COVERED: Final = """
SELECT schemaname, tablename FROM pg_publication_tables WHERE pubname = %(name)s
UNION
SELECT n.nspname, c.relname FROM pg_publication_rel r JOIN pg_publication p ON p.oid = r.prpubid
JOIN pg_class c ON c.oid = r.prrelid JOIN pg_namespace n ON n.oid = c.relnamespace WHERE p.pubname = %(name)s
"""
_NARROWED: Final = """
SELECT n.nspname, c.relname, r.prqual IS NOT NULL FROM pg_publication_rel r
JOIN pg_publication p ON p.oid = r.prpubid JOIN pg_class c ON c.oid = r.prrelid JOIN pg_namespace n
ON n.oid = c.relnamespace WHERE p.pubname = %s AND (r.prqual IS NOT NULL OR r.prattrs IS NOT NULL)
"""


@dataclass(frozen=True, slots=True)
class Publication:
    """A publication as it is. `tables`: those it covers, by whatever clause."""

    name: str
    all_tables: bool
    via_root: bool
    everything: bool
    """Publishes insert, update, delete and truncate."""
    owned: bool
    tables: frozenset[TableName]
    row_filters: frozenset[TableName]
    column_lists: frozenset[TableName]


async def read_publication(conn: psycopg.AsyncConnection[Any], name: str) -> Publication | None:
    """None when there is none."""
    row = await (await conn.execute(_STATE, (name,))).fetchone()
    if row is None:
        return None
    covered = await (await conn.execute(_COVERED, {"name": name})).fetchall()
    narrowed = []
    if conn.info.server_version >= 150000:
        narrowed = await (await conn.execute(_NARROWED, (name,))).fetchall()
    all_tables, via_root, everything, owned = row
    return Publication(
        name,
        all_tables,
        via_root,
        everything,
        owned,
        tables=frozenset(TableName(*each) for each in covered),
        row_filters=frozenset(TableName(*each[:2]) for each in narrowed if each[2]),
        column_lists=frozenset(TableName(*each[:2]) for each in narrowed if not each[2]),
    )


def missing_tables(publication: Publication | None, facts: Sequence[TableFacts]) -> list[TableName]:
    """Wanted tables that the publication doesn't cover."""
    if publication is not None and publication.all_tables:
        return []
    covered = publication.tables if publication else frozenset[TableName]()
    return [fact.table for fact in facts if fact.table not in covered]


def repairs(name: str, publication: Publication | None, facts: Sequence[TableFacts]) -> list[sql.Composed]:
    """The statements that make the publication cover the tables, none when it does."""
    if publication is None:
        return [create_statement(name, [fact.table for fact in facts])]
    statements = []
    if not publication.everything or not publication.via_root:
        statements.append(sql.SQL("ALTER PUBLICATION {} SET ({})").format(sql.Identifier(name), _OPTIONS))
    missing = missing_tables(publication, facts)
    if missing:
        add = sql.SQL("ALTER PUBLICATION {} ADD TABLE {}")
        statements.append(add.format(sql.Identifier(name), _listed(missing)))
    return statements


def create_statement(name: str, tables: Sequence[TableName]) -> sql.Composed:
    create = sql.SQL("CREATE PUBLICATION {} FOR TABLE {} WITH ({})")
    return create.format(sql.Identifier(name), _listed(tables), _OPTIONS)


def publication_problems(name: str, publication: Publication | None, facts: Sequence[TableFacts]) -> list[Problem]:
    """What keeps the publication from carrying every change of the tables, with the SQL that mends it."""
    where = f"publication {name}"
    mend = " ".join(f"{statement.as_string()};" for statement in repairs(name, publication, facts))
    if publication is None:
        return [Problem("there is no such publication", mend, where)]
    found = []
    missing = missing_tables(publication, facts)
    if missing:
        found.append(Problem(f"it does not cover {', '.join(map(str, missing))}", mend, where))
    if not publication.everything:
        found.append(Problem("it does not publish all of insert, update, delete and truncate", mend, where))
    if not publication.via_root and any(fact.partitioned for fact in facts):
        found.append(Problem("it publishes partitions under their own names", mend, where))
    return found + narrowing_problems(publication, facts)


def narrowing_problems(publication: Publication, facts: Sequence[TableFacts]) -> list[Problem]:
    """Row filters hide changes; column lists are dangerous to the OMS. Only their maker can say what they are for."""
    where = f"publication {publication.name}"
    found = []
    for table in (fact.table for fact in facts):
        named = sql.SQL("ALTER PUBLICATION {0} DROP TABLE {1}; ALTER PUBLICATION {0} ADD TABLE {1};")
        mend = named.format(sql.Identifier(publication.name), sql.Identifier(table.schema, table.name)).as_string()
        if table in publication.row_filters:
            found.append(Problem(f"its row filter on {table} hides changes", mend, where))
        if table in publication.column_lists:
            what = f"its column list on {table} hides columns, and can make the table's own UPDATEs fail"
            found.append(Problem(what, mend, where, warning=True))
    return found


def _listed(tables: Sequence[TableName]) -> sql.Composed:
    # ONLY: inheritance children would come under names of their own. It means nothing for partitioned tables.
    return sql.SQL(", ").join(
        sql.SQL("ONLY {}").format(sql.Identifier(table.schema, table.name)) for table in sorted(tables)
    )
