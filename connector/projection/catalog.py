"""What pg_catalog says about the tables that a mapping names.

Knows Postgres's catalog; must not know SQL parsing, routes or orders.
Source: https://www.postgresql.org/docs/current/catalogs.html
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from psycopg import AsyncConnection

from connector.changes import TableName

_INTEGERS = frozenset({"int2", "int4", "int8"})
_NUMBERS = _INTEGERS | {"numeric"}
_STRINGS = frozenset({"text", "varchar", "bpchar"})
_FAITHFUL = _INTEGERS | _STRINGS | {"uuid", "date", "timestamp", "timestamptz", "oid", "name", "bytea"}

KINDS = {"v": "view", "m": "materialized view", "f": "foreign table", "S": "sequence", "c": "composite type"}


@dataclass(frozen=True, slots=True)
class Column:
    """`type_name` is fit for a cast, `type` the bare name in pg_type; both of a domain's base type. `streamed`: False
    for generated columns, which logical replication leaves out."""

    name: str
    type: str
    type_name: str
    type_schema: str
    modifier: int
    is_enum: bool
    deterministic: bool
    streamed: bool

    def faithful(self) -> bool:
        """True when two values are equal exactly if their texts are (blanks at the end of char(n) aside)."""
        if self.type == "numeric":
            return self.modifier >= 0
        known = self.type in _FAITHFUL and self.type_schema == "pg_catalog"
        return (known or self.is_enum) and self.deterministic


def comparable(one: Column, other: Column) -> bool:
    """True when `=` between the two is an equivalence that a parameter of either type keeps."""
    if one.type_name == other.type_name:
        return True
    if {one.type_schema, other.type_schema} != {"pg_catalog"}:
        return False
    pair = {one.type, other.type}
    return pair <= _NUMBERS or pair <= _STRINGS


def same_text(one: Column, other: Column) -> bool:
    """True when equal values of the two columns have equal texts."""
    if not (one.faithful() and other.faithful() and comparable(one, other)):
        return False
    if "numeric" in (one.type, other.type):
        return one.type == other.type and one.modifier == other.modifier
    return True


@dataclass(frozen=True, slots=True)
class Table:
    """`identity`: columns that the stream carries of a deleted row. `indexes`: columns of each whole-table index, in
    index order. `rows`: the planner's count, negative when never analysed. `refusal`: why the table can't be
    followed."""

    name: TableName
    kind: str
    columns: Mapping[str, Column]
    primary_key: tuple[str, ...]
    identity: frozenset[str]
    indexes: tuple[tuple[str, ...], ...]
    rows: float
    refusal: str | None

    def serves(self, columns: Sequence[str]) -> bool:
        """True when an index begins with one of the columns."""
        return any(index and index[0] in columns for index in self.indexes)


_TABLES = """
WITH asked AS (
  SELECT i, CASE WHEN s IS NULL THEN to_regclass(quote_ident(n)) ELSE
    (SELECT c.oid FROM pg_class c JOIN pg_namespace p ON p.oid = c.relnamespace WHERE p.nspname = s AND c.relname = n)
    END AS oid
  FROM unnest($1::text[], $2::text[]) WITH ORDINALITY AS asked(s, n, i))
SELECT a.i, c.oid::bigint, p.nspname, c.relname, c.relkind::text, c.relreplident::text,
  CASE WHEN c.relkind = 'p' THEN (SELECT coalesce(sum(greatest(l.reltuples, 0)), 0) FROM pg_partition_tree(c.oid) t
    JOIN pg_class l ON l.oid = t.relid WHERE t.isleaf) ELSE c.reltuples END::float8,
  CASE WHEN c.relkind = 'p' THEN (SELECT string_agg(DISTINCT l.relreplident::text, '') FROM pg_partition_tree(c.oid) t
    JOIN pg_class l ON l.oid = t.relid WHERE t.isleaf) END,
  CASE WHEN c.relpersistence <> 'p' THEN 'is not logged, so no change of it is in the WAL'
    WHEN c.relkind = 'r' AND EXISTS (SELECT FROM pg_inherits h WHERE h.inhparent = c.oid)
      THEN 'has tables that inherit from it, which is not supported yet' END
FROM asked a JOIN pg_class c ON c.oid = a.oid JOIN pg_namespace p ON p.oid = c.relnamespace
"""

_COLUMNS = """
WITH RECURSIVE base(rel, num, name, typ, typmod, coll, streamed) AS (
  SELECT attrelid, attnum, attname, atttypid, atttypmod, attcollation, attgenerated = '' FROM pg_attribute
  WHERE attrelid = ANY($1::oid[]) AND attnum > 0 AND NOT attisdropped
  UNION ALL
  SELECT b.rel, b.num, b.name, t.typbasetype, t.typtypmod, b.coll, b.streamed
  FROM base b JOIN pg_type t ON t.oid = b.typ WHERE t.typtype = 'd')
SELECT b.rel::bigint, b.name, t.typname, quote_ident(n.nspname) || '.' || quote_ident(t.typname), n.nspname, b.typmod,
  t.typtype = 'e', coalesce(l.collisdeterministic, true), b.streamed
FROM base b JOIN pg_type t ON t.oid = b.typ JOIN pg_namespace n ON n.oid = t.typnamespace
LEFT JOIN pg_collation l ON l.oid = b.coll
WHERE t.typtype <> 'd' ORDER BY b.rel, b.num
"""

_INDEXES = """
SELECT i.indrelid::bigint, i.indisprimary, i.indisreplident, i.indpred IS NULL,
  ARRAY(SELECT a.attname::text FROM generate_series(0, i.indnkeyatts - 1) k
        LEFT JOIN pg_attribute a ON a.attrelid = i.indrelid AND a.attnum = i.indkey[k] ORDER BY k)
FROM pg_index i WHERE i.indrelid = ANY($1::oid[]) AND i.indisvalid
"""

_FUNCTIONS = """
SELECT p.proname, n.nspname, p.prokind::text, p.provolatile::text, l.lanname
FROM pg_proc p JOIN pg_namespace n ON n.oid = p.pronamespace JOIN pg_language l ON l.oid = p.prolang
WHERE p.proname = ANY($1::text[]) AND (p.prokind = 'a' OR n.nspname <> 'pg_catalog')
"""


@dataclass(frozen=True, slots=True)
class Catalog:
    """`tables` by (schema or None, name) as the mapping asks; `aggregates` and `readers` are function names: those that
    aggregate, and those of users that may read tables (not IMMUTABLE)."""

    tables: Mapping[tuple[str | None, str], Table]
    aggregates: frozenset[str]
    readers: frozenset[str]


async def read_catalog(
    connection: AsyncConnection[Any], names: Sequence[tuple[str | None, str]], functions: Sequence[str]
) -> Catalog:
    """Read everything in four queries. Raises psycopg.Error."""
    asked = [[schema for schema, _ in names], [name for _, name in names]]
    rows = await (await connection.execute(_TABLES, asked)).fetchall()
    oids = [row[1] for row in rows]
    columns: dict[int, dict[str, Column]] = {oid: {} for oid in oids}
    for oid, name, *rest in await (await connection.execute(_COLUMNS, [oids])).fetchall():
        columns[oid][name] = Column(name, *rest)
    indexes = await (await connection.execute(_INDEXES, [oids])).fetchall()
    tables = {
        names[row[0] - 1]: _table(row, columns[row[1]], [index for index in indexes if index[0] == row[1]])
        for row in rows
    }
    found = await (await connection.execute(_FUNCTIONS, [list(functions)])).fetchall()
    return Catalog(
        tables,
        frozenset(name for name, _, kind, _, _ in found if kind == "a"),
        frozenset(name for name, _, kind, volatile, language in found if _may_read(kind, volatile, language)),
    )


def _may_read(kind: str, volatile: str, language: str) -> bool:
    return kind == "f" and volatile != "i" and language not in ("c", "internal")


def _table(row: Sequence[Any], columns: Mapping[str, Column], own: Sequence[Sequence[Any]]) -> Table:
    _, _, schema, name, kind, replident, rows, leaves, refusal = row
    primary = next((tuple(index[4]) for index in own if index[1]), ())
    # Rows of a partitioned table carry their partition's identity: only when all agree is one known.
    mode = replident if kind != "p" else (leaves or "d")
    identity = {"d": frozenset(primary), "f": frozenset(columns)}.get(mode, frozenset())
    if mode == "i" and kind != "p":
        identity = frozenset(next((index[4] for index in own if index[2]), ()))
    whole = tuple(tuple(column or "" for column in index[4]) for index in own if index[3])
    return Table(TableName(schema, name), kind, columns, primary, identity, whole, rows, refusal)
