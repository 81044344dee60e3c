"""Replica identities: which tables may be published with their updates and deletes, and what would let the others.

https://www.postgresql.org/docs/current/logical-replication-publication.html#LOGICAL-REPLICATION-PUBLICATION-REPLICA-IDENTITY.
A table without a usable one fails its own UPDATEs and DELETEs as soon as a publication publishes them. Reads only.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Final

import psycopg
from psycopg import sql
from psycopg.rows import class_row

from connector.changes import TableName
from connector.errors import Problem

# An index serves as replica identity when it is valid, immediate and chosen. `m` is a row of pg_class.
_USABLE: Final = """
(m.relreplident = 'f' OR EXISTS (
    SELECT FROM pg_index i WHERE i.indrelid = m.oid AND i.indisvalid AND i.indimmediate
    AND ((m.relreplident = 'd' AND i.indisprimary) OR (m.relreplident = 'i' AND i.indisreplident))))
"""

# Rows are written to leaf partitions, so theirs are the identities that count.
_MEMBERS: Final = """
LATERAL (SELECT c.oid UNION SELECT relid FROM pg_partition_tree(c.oid) WHERE isleaf) AS member (oid)
JOIN pg_class m ON m.oid = member.oid
"""

IDENTIFIED: Final = f"NOT EXISTS (SELECT FROM {_MEMBERS} WHERE m.relkind = 'r' AND NOT {_USABLE})"
"""An SQL condition on a row `c` of pg_class: its updates and deletes may be published."""

# One row for each table and each leaf partition. `candidate` is an index that could be chosen.
_IDENTITIES: Final = f"""
SELECT wanted.schema AS root_schema, wanted.name AS root_name, mn.nspname AS schema, m.relname AS name,
       m.relkind::text AS kind, m.relreplident::text AS identity, {_USABLE} AS usable,
       EXISTS (SELECT FROM pg_index i WHERE i.indrelid = m.oid AND i.indisprimary AND i.indisvalid
               AND i.indimmediate) AS primary_key,
       (SELECT x.relname::text FROM pg_index i JOIN pg_class x ON x.oid = i.indexrelid
        WHERE i.indrelid = m.oid AND i.indisunique AND i.indisvalid AND i.indimmediate AND i.indpred IS NULL
          AND i.indexprs IS NULL AND NOT EXISTS (
              SELECT FROM unnest(i.indkey::int2[]) AS key (number) JOIN pg_attribute a ON a.attrelid = m.oid
              AND a.attnum = key.number WHERE NOT a.attnotnull)
        ORDER BY i.indnkeyatts, x.relname LIMIT 1) AS candidate
FROM unnest(%(schemas)s::text[], %(names)s::text[]) WITH ORDINALITY AS wanted (schema, name, place)
JOIN pg_namespace n ON n.nspname = wanted.schema
JOIN pg_class c ON c.relnamespace = n.oid AND c.relname = wanted.name
CROSS JOIN {_MEMBERS} JOIN pg_namespace mn ON mn.oid = m.relnamespace
ORDER BY wanted.place, m.relkind DESC, mn.nspname, m.relname
"""  # noqa: S608 -- constants alone are put together


@dataclass(frozen=True, slots=True)
class Identity:
    """The replica identity of a wanted table, or of one of its leaf partitions."""

    root_schema: str
    root_name: str
    schema: str
    name: str
    kind: str
    identity: str
    usable: bool
    primary_key: bool
    candidate: str | None

    @property
    def root(self) -> TableName:
        return TableName(self.root_schema, self.root_name)

    @property
    def table(self) -> TableName:
        return TableName(self.schema, self.name)


async def read_identities(conn: psycopg.AsyncConnection[Any], tables: Sequence[TableName]) -> list[Identity]:
    async with conn.cursor(row_factory=class_row(Identity)) as cursor:
        return await (await cursor.execute(_IDENTITIES, by_name(tables))).fetchall()


def identity_problems(identities: Sequence[Identity]) -> list[Problem]:
    """A warning for each table or partition that keeps its root from the main publication, with what would mend it,
    and a problem for partitions that would send less of an old row than their root promises."""
    full_roots = {each.root for each in identities if each.table == each.root and each.identity == "f"}
    found = []
    for each in identities:
        if not each.usable and each.kind == "r":
            found.append(Problem(_meaning(each), cure(each), str(each.table), warning=True))
        elif each.root in full_roots and each.kind == "r" and each.identity != "f":
            what = f"{each.root} has replica identity FULL and this partition has not: old rows would arrive in part"
            found.append(Problem(what, f"ALTER TABLE {quoted(each.table)} REPLICA IDENTITY FULL;", str(each.table)))
    return found


def _meaning(each: Identity) -> str:
    whose = "it" if each.table == each.root else str(each.root)
    return (
        f"it has no usable replica identity, so {whose} is followed for INSERT and TRUNCATE alone: what an UPDATE or"
        " DELETE of it changed is found by the reconcile sweep, every `reconcile.every`"
    )


def cure(each: Identity) -> str:
    """The SQL that gives it a usable replica identity, the cheapest that there is."""
    alter = f"ALTER TABLE {quoted(each.table)}"
    if each.primary_key:
        return f"{alter} REPLICA IDENTITY DEFAULT;"
    if each.candidate:
        return f"{alter} REPLICA IDENTITY USING INDEX {sql.Identifier(each.candidate).as_string()};"
    return (
        f"{alter} ADD PRIMARY KEY (...); or, when nothing in it is unique, {alter} REPLICA IDENTITY FULL;"
        " (each UPDATE and DELETE then writes its whole old row to the WAL)"
    )


def by_name(tables: Sequence[TableName]) -> dict[str, list[str]]:
    """Parameters for `unnest(%(schemas)s::text[], %(names)s::text[])`."""
    return {"schemas": [table.schema for table in tables], "names": [table.name for table in tables]}


def quoted(table: TableName) -> str:
    """The table as SQL spells it."""
    return sql.Identifier(table.schema, table.name).as_string()
