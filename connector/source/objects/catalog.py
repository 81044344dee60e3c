"""What the catalog says about the tables to follow: kind, partitions, whether they are ours to publish.

Reads only. Knows the rules of https://www.postgresql.org/docs/current/logical-replication-publication.html, and
nothing about which columns matter.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Final

import psycopg
from psycopg.rows import class_row

from connector.model.changes import TableName
from connector.model.errors import Problem
from connector.postgres.connections import reading
from connector.postgres.quoting import quoted
from connector.source.objects.replica_identities import (
    IDENTIFIED,
    LEAVES,
    by_name,
    identity_problems,
    read_identities,
)

_TABLES: Final = f"""
SELECT wanted.schema, wanted.name, c.relkind::text AS kind, c.relpersistence::text AS persistence,
       pg_has_role(c.relowner, 'USAGE') AS owned, {IDENTIFIED} AS identified,
       c.oid::int8 AS oid,
       (SELECT md5(string_agg(concat_ws(' ', attnum, attname, atttypid, atttypmod, attnotnull, xmin), ','
                              ORDER BY attnum))
        FROM pg_attribute WHERE attrelid = c.oid AND attnum > 0 AND NOT attisdropped) AS columns,
       concat_ws(' ', c.relreplident,
         (SELECT string_agg(concat_ws(' ', indisprimary, indisreplident, indkey), ',' ORDER BY indexrelid)
          FROM pg_index WHERE indrelid = c.oid AND (indisprimary OR indisreplident)),
         (SELECT string_agg(DISTINCT m.relreplident::text, '') FROM {LEAVES} AS leaf
          JOIN pg_class m ON m.oid = leaf.oid)) AS identity,
       CASE WHEN c.relkind = 'p' THEN
         (SELECT md5(string_agg(concat_ws(' ', leaf.oid, pg_relation_filenode(leaf.oid)), ',' ORDER BY leaf.oid))
          FROM {LEAVES} AS leaf) END AS partitions,
       ARRAY(SELECT k.relname::text FROM pg_inherits i JOIN pg_class k ON k.oid = i.inhrelid
             WHERE i.inhparent = c.oid AND NOT k.relispartition ORDER BY 1) AS children,
       concat_ws(' ', CASE WHEN c.relrowsecurity THEN 'on' END, CASE WHEN c.relforcerowsecurity THEN 'forced' END,
         (SELECT string_agg(concat_ws('.', oid, xmin), ' ' ORDER BY oid) FROM pg_policy WHERE polrelid = c.oid))
         AS row_security
FROM unnest(%(schemas)s::text[], %(names)s::text[]) WITH ORDINALITY AS wanted (schema, name, place)
LEFT JOIN (pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace)
       ON n.nspname = wanted.schema AND c.relname = wanted.name
ORDER BY wanted.place
"""  # noqa: S608 -- constants alone are put together


@dataclass(frozen=True, slots=True)
class TableFacts:
    """One wanted table. `kind` (pg_class.relkind) is None when there is no such table. `identified`: it and its
    partitions have usable replica identities; `identity`: which, and what the primary key is. `columns`: a hash of
    their places, names, types and NOT NULLs, and of when each was last altered, so that a change there and back shows.
    `partitions`: a hash of the leaves and their storage, which a TRUNCATE of one renews; None without partitions.
    `row_security`: whether it is on, and which policies there are, and when each was last altered; else empty."""

    schema: str
    name: str
    kind: str | None
    persistence: str | None
    owned: bool | None
    identified: bool
    oid: int | None
    columns: str | None
    identity: str | None
    partitions: str | None
    children: Sequence[str]
    row_security: str = ""

    @property
    def table(self) -> TableName:
        return TableName(self.schema, self.name)

    @property
    def partitioned(self) -> bool:
        return self.kind == "p"


async def read_tables(conn: psycopg.AsyncConnection[Any], tables: Sequence[TableName]) -> list[TableFacts]:
    async with conn.cursor(row_factory=class_row(TableFacts)) as cursor:
        return await (await cursor.execute(_TABLES, by_name(tables))).fetchall()


async def insert_only_tables(dsn: str, tables: Sequence[TableName]) -> frozenset[TableName]:
    """Those whose updates and deletes can't be published, because they have no usable replica identity. Raises
    SourceUnavailable."""
    async with reading(dsn) as conn:
        return frozenset(fact.table for fact in await read_tables(conn, tables) if not fact.identified)


async def table_problems(conn: psycopg.AsyncConnection[Any], tables: Sequence[TableName]) -> list[Problem]:
    """Why some tables can't be followed (missing, of the wrong kind), or only in part (a warning: they have no usable
    replica identity)."""
    facts = await read_tables(conn, tables)
    found = [problem for fact in facts if (problem := kind_problem(fact, tables))]
    spoilt = {problem.where for problem in found}
    identities = [each for each in await read_identities(conn, tables) if str(each.root) not in spoilt]
    return found + identity_problems(identities)


def kind_problem(fact: TableFacts, wanted: Sequence[TableName]) -> Problem | None:
    """Why no publication can carry the table's changes."""
    where, named = str(fact.table), quoted(fact.schema, fact.name)
    if fact.kind is None:
        return Problem("there is no such table", "correct the mapping, or create the table", where)
    if fact.kind not in "rp":
        return Problem("only ordinary and partitioned tables can be followed", "map the tables behind it", where)
    if fact.persistence != "p":
        hint = f"ALTER TABLE {named} SET LOGGED;"
        return Problem("it is unlogged or temporary, so its changes are in no stream", hint, where)
    strangers = [child for child in fact.children if TableName(fact.schema, child) not in wanted]
    if strangers and not fact.partitioned:
        hint = f"use ONLY {named} in the mapping and map the children themselves: {', '.join(strangers)}"
        return Problem("rows of its inheritance children would change unnoticed", hint, where)
    return None
