"""What the catalog says about the tables to follow: kind, replica identity, partitions, who may do what.

Reads only. Knows the rules of https://www.postgresql.org/docs/current/logical-replication-publication.html, and
nothing about which columns matter.
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

_TABLES: Final = """
SELECT wanted.schema, wanted.name, c.relkind::text AS kind, c.relpersistence::text AS persistence,
       pg_has_role(c.relowner, 'USAGE') AS owned,
       has_schema_privilege(n.oid, 'USAGE') AS usage, has_table_privilege(c.oid, 'SELECT') AS "select",
       row_security_active(c.oid) AS row_security,
       ARRAY(SELECT k.relname::text FROM pg_inherits i JOIN pg_class k ON k.oid = i.inhrelid
             WHERE i.inhparent = c.oid AND NOT k.relispartition ORDER BY 1) AS children
FROM unnest(%(schemas)s::text[], %(names)s::text[]) WITH ORDINALITY AS wanted (schema, name, place)
LEFT JOIN (pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace)
       ON n.nspname = wanted.schema AND c.relname = wanted.name
ORDER BY wanted.place
"""

# One row for each table and each leaf partition. An index serves as replica identity when it is valid, immediate and
# chosen; `candidate` is another one that could be chosen.
_IDENTITIES: Final = """
SELECT wanted.schema AS root_schema, wanted.name AS root_name, mn.nspname AS schema, m.relname AS name,
       m.relkind::text AS kind, m.relreplident::text AS identity,
       m.relreplident = 'f' OR EXISTS (
           SELECT FROM pg_index i WHERE i.indrelid = m.oid AND i.indisvalid AND i.indimmediate
           AND ((m.relreplident = 'd' AND i.indisprimary) OR (m.relreplident = 'i' AND i.indisreplident))) AS usable,
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
CROSS JOIN LATERAL (SELECT c.oid UNION SELECT relid FROM pg_partition_tree(c.oid) WHERE isleaf) AS member (oid)
JOIN pg_class m ON m.oid = member.oid JOIN pg_namespace mn ON mn.oid = m.relnamespace
ORDER BY wanted.place, m.relkind DESC, mn.nspname, m.relname
"""


@dataclass(frozen=True, slots=True)
class TableFacts:
    """One wanted table. `kind` (pg_class.relkind) is None when there is no such table."""

    schema: str
    name: str
    kind: str | None
    persistence: str | None
    owned: bool | None
    usage: bool | None
    select: bool | None
    row_security: bool | None
    children: Sequence[str]

    @property
    def table(self) -> TableName:
        return TableName(self.schema, self.name)

    @property
    def partitioned(self) -> bool:
        return self.kind == "p"


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


async def read_tables(conn: psycopg.AsyncConnection[Any], tables: Sequence[TableName]) -> list[TableFacts]:
    async with conn.cursor(row_factory=class_row(TableFacts)) as cursor:
        return await (await cursor.execute(_TABLES, _names(tables))).fetchall()


async def read_identities(conn: psycopg.AsyncConnection[Any], tables: Sequence[TableName]) -> list[Identity]:
    async with conn.cursor(row_factory=class_row(Identity)) as cursor:
        return await (await cursor.execute(_IDENTITIES, _names(tables))).fetchall()


async def table_problems(conn: psycopg.AsyncConnection[Any], tables: Sequence[TableName]) -> list[Problem]:
    """Why some tables can't be followed: missing, of the wrong kind, or without a usable replica identity."""
    facts = await read_tables(conn, tables)
    found = [problem for fact in facts if (problem := _kind_problem(fact, frozenset(tables)))]
    spoilt = {problem.where for problem in found}
    identities = [each for each in await read_identities(conn, tables) if str(each.root) not in spoilt]
    return found + _identity_problems(identities)


def _names(tables: Sequence[TableName]) -> dict[str, list[str]]:
    return {"schemas": [table.schema for table in tables], "names": [table.name for table in tables]}


def _kind_problem(fact: TableFacts, wanted: frozenset[TableName]) -> Problem | None:
    where = str(fact.table)
    if fact.kind is None:
        return Problem("there is no such table", "correct the mapping, or create the table", where)
    if fact.kind not in "rp":
        return Problem("only ordinary and partitioned tables can be followed", "map the tables behind it", where)
    if fact.persistence != "p":
        hint = f"ALTER TABLE {quoted(fact.table)} SET LOGGED;"
        return Problem("it is unlogged or temporary, so its changes are in no stream", hint, where)
    strangers = [child for child in fact.children if TableName(fact.schema, child) not in wanted]
    if strangers and not fact.partitioned:
        hint = f"use ONLY {quoted(fact.table)} in the mapping and map the children themselves: {', '.join(strangers)}"
        return Problem("rows of its inheritance children would change unnoticed", hint, where)
    return None


def _identity_problems(identities: Sequence[Identity]) -> list[Problem]:
    full_roots = {each.root for each in identities if each.table == each.root and each.identity == "f"}
    found = []
    for each in identities:
        if not each.usable and each.kind != "p":
            what = "it has no usable replica identity, so publishing it would make its own UPDATEs and DELETEs fail"
            found.append(Problem(what, _cure(each), str(each.table)))
        elif each.root in full_roots and each.identity != "f":
            what = f"{each.root} has replica identity FULL and this partition has not: old rows would arrive in part"
            found.append(Problem(what, f"ALTER TABLE {quoted(each.table)} REPLICA IDENTITY FULL;", str(each.table)))
    return found


def _cure(each: Identity) -> str:
    if each.primary_key:
        return f"ALTER TABLE {quoted(each.table)} REPLICA IDENTITY DEFAULT;"
    if each.candidate:
        index = sql.Identifier(each.candidate).as_string()
        return f"ALTER TABLE {quoted(each.table)} REPLICA IDENTITY USING INDEX {index};"
    return f"ALTER TABLE {quoted(each.table)} REPLICA IDENTITY FULL; -- or give it a primary key"


def quoted(table: TableName) -> str:
    """The table as SQL spells it."""
    return sql.Identifier(table.schema, table.name).as_string()
