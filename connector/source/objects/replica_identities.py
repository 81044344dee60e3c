"""Replica identities: which tables may be published with their updates and deletes, and what would let the others.

https://www.postgresql.org/docs/current/logical-replication-publication.html#LOGICAL-REPLICATION-PUBLICATION-REPLICA-IDENTITY.
A table without a usable one fails its own UPDATEs and DELETEs as soon as a publication publishes them. Reads only.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Final

import psycopg
from psycopg.rows import class_row

from connector.model.changes import TableName
from connector.model.errors import Problem
from connector.postgres.quoting import quoted

# An index serves as replica identity when it is valid, immediate and chosen; the whole row (FULL) when all of it is
# published, which virtual generated columns (from Postgres 18 on) can't be. `m` is a row of pg_class, `i` of pg_index.
_CHOSEN: Final = "((m.relreplident = 'd' AND i.indisprimary) OR (m.relreplident = 'i' AND i.indisreplident))"
_WHOLE_ROW: Final = """
(m.relreplident = 'f' AND NOT EXISTS (SELECT FROM pg_attribute a WHERE a.attrelid = m.oid AND a.attgenerated = 'v'))
"""
_USABLE: Final = f"""
CASE m.relreplident WHEN 'f' THEN {_WHOLE_ROW} ELSE EXISTS (
  SELECT FROM pg_index i WHERE i.indrelid = m.oid AND i.indisvalid AND i.indimmediate AND {_CHOSEN}) END
"""

# Stored generated columns are a part of it. `m` is a row of pg_class.
_GENERATED: Final = f"""
EXISTS (
  SELECT FROM pg_attribute a WHERE a.attrelid = m.oid AND a.attgenerated = 's' AND (m.relreplident = 'f' OR EXISTS (
    SELECT FROM pg_index i WHERE i.indrelid = m.oid AND a.attnum = ANY (i.indkey::int2[]) AND {_CHOSEN})))
"""  # noqa: S608 -- constants alone are put together

# Rows are written to leaf partitions, so theirs are the identities that count. Not by pg_partition_tree: that would
# wait for whoever locks a partition, and a statement of the OMS may be failing meanwhile. There are many leaves and few
# partitioned tables, so only those are walked.
LEAVES: Final = """
(WITH RECURSIVE parents (oid) AS (
   SELECT t.partrelid FROM pg_partitioned_table t WHERE t.partrelid = c.oid UNION ALL
   SELECT t.partrelid FROM parents p JOIN pg_inherits h ON h.inhparent = p.oid
   JOIN pg_partitioned_table t ON t.partrelid = h.inhrelid)
 SELECT c.oid WHERE c.relkind <> 'p' UNION ALL
 SELECT h.inhrelid FROM parents p JOIN pg_inherits h ON h.inhparent = p.oid
 WHERE NOT EXISTS (SELECT FROM pg_partitioned_table t WHERE t.partrelid = h.inhrelid))
"""
"""SQL: the oids of a table's leaf partitions, its own when it has no partitions; of a row `c` of pg_class."""

_MEMBERS: Final = f"""
LATERAL (SELECT c.oid UNION SELECT leaf.oid FROM {LEAVES} AS leaf) AS member (oid)
JOIN pg_class m ON m.oid = member.oid
"""  # noqa: S608 -- constants alone are put together

IDENTIFIED: Final = f"NOT EXISTS (SELECT FROM {_MEMBERS} WHERE m.relkind = 'r' AND NOT {_USABLE})"
"""An SQL condition on a row `c` of pg_class: its updates and deletes may be published."""

NEEDS_GENERATED: Final = f"EXISTS (SELECT FROM {_MEMBERS} WHERE m.relkind = 'r' AND {_GENERATED})"
"""An SQL condition on a row `c` of pg_class: stored generated columns are a part of its replica identity. From Postgres
18 on its updates fail unless the publication publishes those, too."""

# Asked twice a second of tables with thousands of partitions, so the plan must be made of hash joins: the recursion
# walks partitioned tables alone, and nothing is looked up for each partition by itself. Waits for no lock.
ENDANGERED: Final = f"""
WITH RECURSIVE named (publication, generated, root, oid) AS (
  SELECT p.pubname, coalesce(to_jsonb(p)->>'pubgencols', 's') = 's', r.prrelid, r.prrelid
  FROM pg_publication p JOIN pg_publication_rel r ON r.prpubid = p.oid
  WHERE p.pubname = ANY(%s) AND (p.pubupdate OR p.pubdelete)),
parents AS (
  SELECT n.* FROM named n JOIN pg_partitioned_table t ON t.partrelid = n.oid
  UNION ALL
  SELECT p.publication, p.generated, p.root, t.partrelid FROM parents p
  JOIN pg_inherits h ON h.inhparent = p.oid JOIN pg_partitioned_table t ON t.partrelid = h.inhrelid),
members AS (
  SELECT * FROM named
  UNION ALL
  SELECT p.publication, p.generated, p.root, h.inhrelid FROM parents p JOIN pg_inherits h ON h.inhparent = p.oid),
judged AS (
  SELECT b.publication, b.root, CASE WHEN i.indexrelid IS NOT NULL THEN true ELSE {_WHOLE_ROW} END AS usable,
         CASE WHEN b.generated THEN false ELSE {_GENERATED} END AS lacking
  FROM members b JOIN pg_class m ON m.oid = b.oid
  LEFT JOIN pg_index i ON i.indrelid = m.oid AND i.indisvalid AND i.indimmediate AND {_CHOSEN}
  WHERE m.relkind = 'r')
SELECT publication::text,
       (SELECT n.nspname::text FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace WHERE c.oid = root),
       (SELECT c.relname::text FROM pg_class c WHERE c.oid = root), bool_and(usable) AS by_option
FROM judged WHERE NOT usable OR lacking GROUP BY publication, root ORDER BY 1, 2, 3
"""  # noqa: S608 -- constants alone are put together
"""The tables, mapped or not, that publications of the given names make fail their own UPDATEs and DELETEs."""

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
    """A warning for each table or partition that keeps its root from the main publication, with what would mend it."""
    return [
        Problem(_meaning(each), cure(each), str(each.table), warning=True)
        for each in identities
        if not each.usable and each.kind == "r"
    ]


def _meaning(each: Identity) -> str:
    whose = "it" if each.table == each.root else str(each.root)
    return (
        f"it has no usable replica identity, so {whose} is followed for INSERT and TRUNCATE alone: what an UPDATE or"
        " DELETE of it changed is found by the reconcile sweep, every `reconcile.every`"
    )


def cure(each: Identity) -> str:
    """The SQL that gives it a usable replica identity, the cheapest that there is."""
    alter = f"ALTER TABLE {quoted(each.schema, each.name)}"
    if each.primary_key:
        return f"{alter} REPLICA IDENTITY DEFAULT;"
    if each.candidate:
        return f"{alter} REPLICA IDENTITY USING INDEX {quoted(each.candidate)};"
    return (
        f"{alter} ADD PRIMARY KEY (...); or, when nothing in it is unique, {alter} REPLICA IDENTITY FULL;"
        " (each UPDATE and DELETE then writes its whole old row to the WAL)"
    )


def by_name(tables: Sequence[TableName]) -> dict[str, list[str]]:
    """Parameters for `unnest(%(schemas)s::text[], %(names)s::text[])`."""
    return {"schemas": [table.schema for table in tables], "names": [table.name for table in tables]}
