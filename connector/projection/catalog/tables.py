"""What pg_catalog says about the tables that a mapping names.

Knows Postgres's catalog; must not know SQL parsing, routes or orders.
Source: https://www.postgresql.org/docs/current/catalogs.html
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from psycopg import AsyncConnection
from sqlglot import exp

from connector.model.changes import TableName
from connector.projection.catalog.columns import Column
from connector.projection.catalog.functions import Functions

KINDS = {"S": "sequence", "c": "composite type"}
"""What can't be read as a table."""


@dataclass(frozen=True, slots=True)
class Table:
    """`identity`: columns that the stream carries of a deleted row. `indexes`: columns of each whole-table index, in
    index order; an expression is put as Postgres prints it. `rows`: the planner's count, negative when never analysed.
    `refusal`: why the table can't be followed. `partial`: its old rows come as if whole, but from some partitions only
    their key is in them. `children`: the tables that inherit from it, at any depth, whose changes
    are streamed under their own names. `few`: it has about 1,000 rows at most; four pages, when
    it was never analysed. `pruned_by`: the columns whose values say which of its many partitions is read, more than
    64; none when it has fewer."""

    name: TableName
    kind: str
    columns: Mapping[str, Column]
    primary_key: tuple[str, ...]
    identity: frozenset[str]
    indexes: tuple[tuple[str, ...], ...]
    rows: float
    refusal: str | None
    oid: int = 0
    partial: bool = False
    children: tuple[Table, ...] = ()
    few: bool = False
    pruned_by: tuple[str, ...] = ()

    @property
    def tells_rows(self) -> bool:
        """True when the texts of a deleted row's identity say which row it was."""
        identity = [column for column in self.columns.values() if column.name in self.identity]
        return bool(identity) and all(column.told_by_text() and column.streamed for column in identity)

    def serves(self, columns: Sequence[str]) -> bool:
        """True when an index begins with one of the columns."""
        return any(index and index[0] in columns for index in self.indexes)


_TABLES = """
WITH asked AS (
  SELECT i, (SELECT c.oid FROM unnest(CASE WHEN s IS NULL THEN $3::text[] ELSE ARRAY[s] END) WITH ORDINALITY AS t(s, i)
    JOIN pg_namespace p ON p.nspname = t.s JOIN pg_class c ON c.relnamespace = p.oid AND c.relname = n
    ORDER BY t.i LIMIT 1) AS oid
  FROM unnest($1::text[], $2::text[]) WITH ORDINALITY AS asked(s, n, i))
SELECT a.i, c.oid::bigint, p.nspname, c.relname, c.relkind::text, c.relreplident::text,
  CASE WHEN c.relkind = 'p' THEN (SELECT coalesce(sum(greatest(l.reltuples, 0)), 0) FROM pg_partition_tree(c.oid) t
    JOIN pg_class l ON l.oid = t.relid WHERE t.isleaf)
    -- Before 14 a table never analysed, or truncated since, has 0.
    WHEN c.reltuples = 0 AND c.relpages = 0 AND current_setting('server_version_num')::int < 140000 THEN -1
    ELSE c.reltuples END::float8,
  CASE WHEN c.relkind = 'p' THEN (SELECT string_agg(DISTINCT l.relreplident::text, '') FROM pg_partition_tree(c.oid) t
    JOIN pg_class l ON l.oid = t.relid WHERE t.isleaf) END,
  CASE WHEN c.relkind = 'm' THEN 'is a materialized view, whose changes are not streamed'
    WHEN c.relkind = 'f' THEN 'is a foreign table, whose changes are not streamed'
    WHEN c.relpersistence <> 'p' THEN 'is not logged, so no change of it is in the WAL' END,
  c.relkind = 'r' AND NOT c.relhassubclass AND CASE WHEN c.reltuples > 0 THEN c.reltuples <= 1000
    ELSE pg_relation_size(c.oid) <= 4 * current_setting('block_size')::int END,
  ARRAY(SELECT a.attname::text FROM pg_partitioned_table p JOIN pg_attribute a ON a.attrelid = p.partrelid
    AND a.attnum = ANY(p.partattrs) WHERE p.partrelid = c.oid
    AND (SELECT count(*) FROM pg_partition_tree(c.oid) t WHERE t.isleaf) > 64)
FROM asked a JOIN pg_class c ON c.oid = a.oid JOIN pg_namespace p ON p.oid = c.relnamespace
"""

_COLUMNS = """
WITH RECURSIVE base(rel, num, name, typ, typmod, coll, streamed, filled) AS (
  SELECT attrelid, attnum, attname, atttypid, atttypmod, attcollation, attgenerated = '', attnotnull FROM pg_attribute
  WHERE attrelid = ANY($1::oid[]) AND attnum > 0 AND NOT attisdropped
  UNION ALL
  SELECT b.rel, b.num, b.name, t.typbasetype, t.typtypmod, b.coll, b.streamed, b.filled
  FROM base b JOIN pg_type t ON t.oid = b.typ WHERE t.typtype = 'd')
SELECT b.rel::bigint, b.name, t.typname, quote_ident(n.nspname) || '.' || quote_ident(t.typname), n.nspname, b.typmod,
  t.typtype = 'e', coalesce(l.collisdeterministic, true), b.streamed, b.filled,
  b.coll NOT IN (0, 'pg_catalog."default"'::regcollation), CASE WHEN NOT b.streamed THEN (
    SELECT pg_get_expr(d.adbin, d.adrelid, true) FROM pg_attrdef d WHERE d.adrelid = b.rel AND d.adnum = b.num) END
FROM base b JOIN pg_type t ON t.oid = b.typ JOIN pg_namespace n ON n.oid = t.typnamespace
LEFT JOIN pg_collation l ON l.oid = b.coll
WHERE t.typtype <> 'd' ORDER BY b.rel, b.num
"""

_INDEXES = """
SELECT i.indrelid::bigint, i.indisprimary, i.indisreplident, i.indpred IS NULL,
  ARRAY(SELECT coalesce(a.attname::text, pg_get_indexdef(i.indexrelid, k + 1, true))
        FROM generate_series(0, i.indnkeyatts - 1) k
        LEFT JOIN pg_attribute a ON a.attrelid = i.indrelid AND a.attnum = i.indkey[k] ORDER BY k)
FROM pg_index i WHERE i.indrelid = ANY($1::oid[]) AND i.indisvalid
"""

_CHILDREN = """
WITH RECURSIVE below(root, oid) AS (
  SELECT h.inhparent, h.inhrelid FROM pg_inherits h JOIN pg_class c ON c.oid = h.inhparent
  WHERE h.inhparent = ANY($1::oid[]) AND c.relkind = 'r'
  UNION SELECT b.root, h.inhrelid FROM below b JOIN pg_inherits h ON h.inhparent = b.oid)
SELECT b.root::bigint, n.nspname, c.relname FROM below b JOIN pg_class c ON c.oid = b.oid
JOIN pg_namespace n ON n.oid = c.relnamespace ORDER BY 1, 2, 3
"""

TableNames = Sequence[tuple[str | None, str]]
"""Tables as the mapping writes them: schema, or None for the search path, and name."""


async def read_tables(
    connection: AsyncConnection[Any], names: TableNames, path: Sequence[str] = ()
) -> dict[tuple[str | None, str], Table]:
    """Those of the tables that there are, by how they were asked for; without a schema, the first in the schemas of
    `path`. Raises psycopg.Error."""
    asked = [[schema for schema, _ in names], [name for _, name in names], list(path)]
    rows = await (await connection.execute(_TABLES, asked)).fetchall()
    oids = [row[1] for row in rows]
    columns: dict[int, dict[str, Column]] = {oid: {} for oid in oids}
    for oid, name, *rest, generated in await (await connection.execute(_COLUMNS, [oids])).fetchall():
        columns[oid][name] = replace(Column(name, *rest), generated=generated or "")
    indexes = await (await connection.execute(_INDEXES, [oids])).fetchall()
    children = await _children(connection, oids)
    return {
        names[row[0] - 1]: _with_children(
            _table(row, columns[row[1]], [index for index in indexes if index[0] == row[1]]), children.get(row[1], ())
        )
        for row in rows
    }


def _with_children(table: Table, children: tuple[Table, ...]) -> Table:
    """Before PostgreSQL 18 a column may be NOT NULL in a table, and not in those that inherit from it."""
    columns = {
        name: replace(column, not_null=column.not_null and all(child.columns[name].not_null for child in children))
        for name, column in table.columns.items()
    }
    return replace(table, columns=columns, children=children)


_ELSEWHERE = """
SELECT c.relname, n.nspname FROM unnest($2::text[]) WITH ORDINALITY AS path(schema, place)
JOIN pg_namespace n ON n.nspname = path.schema JOIN pg_class c ON c.relnamespace = n.oid AND c.relname = ANY($1::text[])
WHERE c.relkind IN ('r', 'p', 'v', 'm', 'f') ORDER BY path.place
"""


async def schemas_with(
    connection: AsyncConnection[Any], names: Sequence[str], path: Sequence[str]
) -> dict[str, list[str]]:
    """The schemas of the path that have a table or view of each name, in order. Raises psycopg.Error."""
    found: dict[str, list[str]] = {}
    for name, schema in await (await connection.execute(_ELSEWHERE, [list(names), list(path)])).fetchall():
        found.setdefault(name, []).append(schema)
    return found


async def _children(connection: AsyncConnection[Any], oids: Sequence[int]) -> dict[int, tuple[Table, ...]]:
    rows = await (await connection.execute(_CHILDREN, [oids])).fetchall()
    if not rows:
        return {}
    tables = await read_tables(connection, [(schema, name) for _, schema, name in rows])
    found: dict[int, tuple[Table, ...]] = {}
    for root, schema, name in rows:
        found[root] = (*found.get(root, ()), tables[schema, name])
    return found


def _table(row: Sequence[Any], columns: Mapping[str, Column], own: Sequence[Sequence[Any]]) -> Table:
    _, oid, schema, name, kind, replident, rows, leaves, refusal, few, pruned_by = row
    primary = next((tuple(index[4]) for index in own if index[1]), ())
    # Rows of a partitioned table carry their partition's identity, in a message of the kind of their root's.
    mode = replident if kind != "p" else "d" if leaves in (None, "df", "fd") else leaves
    partial = kind == "p" and replident == "f" and leaves != "f"
    identity = {"d": frozenset(primary), "f": frozenset(columns)}.get(mode, frozenset())
    if mode == "i" and kind != "p":
        identity = frozenset(next((index[4] for index in own if index[2]), ()))
    whole = tuple(tuple(index[4]) for index in own if index[3])
    found = Table(TableName(schema, name), kind, columns, primary, identity, whole, rows, refusal, oid, partial)
    return replace(found, few=few, pruned_by=tuple(pruned_by))


@dataclass(frozen=True, slots=True)
class View:
    """A view's own SELECT as a tree, its column names, and where the mapping (or the view around it) names it."""

    name: TableName
    tree: exp.Query
    columns: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Catalog:
    """`tables` by (schema or None, name) as the mapping asks, `views` by their full names. `invokers`: views that read
    with the rights of who reads them, not of their owner."""

    tables: Mapping[tuple[str | None, str], Table]
    views: Mapping[TableName, View] = field(default_factory=dict)
    functions: Functions = field(default_factory=Functions)
    invokers: frozenset[TableName] = frozenset()
