"""What a session's server says of plans: EXPLAIN, the catalog's facts of tables and indexes, and values to plan for.

Reads only, runs nothing that is planned. Must not know what follows from an answer.
"""
# ruff: noqa: S608  names come quoted from the catalog, the mapping is the operator's SQL, values are parameters

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Final

from connector.model.changes import TableName
from connector.postgres.quoting import quoted
from connector.projection.assembly.plans.conditions import same_expression, without_parameters
from connector.projection.assembly.plans.plan_tree import Node
from connector.projection.assembly.sessions import Session

_EXPLAIN: Final = "EXPLAIN (VERBOSE, FORMAT JSON)"
_PARAMETERS: Final = (
    "SELECT pg_catalog.cardinality(parameter_types) FROM pg_catalog.pg_prepared_statements WHERE name = 'planned_once'"
)
# Whatever the table's size, an index is taken where one can be, and conditions lead from table to table.
_BY_INDEX: Final = ("seqscan", "indexonlyscan", "hashjoin", "mergejoin", "material")


@dataclass(frozen=True, slots=True)
class TableIndex:
    """`terms` as the catalog prints them; `predicate` of a partial index, else None. `single`: a value of its first
    column is in one row. `rows`, `pages`: about."""

    name: str
    terms: tuple[str, ...]
    columns: frozenset[str]
    predicate: str | None
    valid: bool
    sorted: bool
    single: bool
    rows: float
    pages: int


@dataclass(frozen=True, slots=True)
class TableFacts:
    """Of a table that a plan reads. `root`: the partitioned table whose partition it is, else itself. `analysed`: the
    planner has statistics of it. `strings`: columns of such types; `unsettled`: those whose casts are no constants to
    Postgres, enums and times with a time zone. `mutable`: names of functions that no index may be on."""

    root: TableName
    partitioned: bool
    analysed: bool
    strings: frozenset[str]
    unsettled: frozenset[str]
    mutable: frozenset[str]
    indexes: tuple[TableIndex, ...]

    def leading(self, terms: Sequence[str]) -> list[TableIndex]:
        """Indexes that begin with one of the terms."""
        candidates = [index for index in self.indexes if index.sorted]
        return [index for index in candidates if any(same_expression(index.terms[0], term) for term in terms)]


async def plan_for(session: Session, query: str, values: Sequence[object]) -> Node:
    """The plan that the query has with these values."""
    found: Node = (await session.rows(f"{_EXPLAIN} {query}", values))[0][0][0]["Plan"]
    return found


async def plan_once(session: Session, query: str) -> Node:
    """The plan that the query has whatever the values are.

    https://www.postgresql.org/docs/current/sql-prepare.html, PREPARE notes
    """
    execute = session.connection.execute
    await execute(f"PREPARE planned_once AS {query}")
    try:
        async with session.connection.transaction():
            await execute("SET LOCAL plan_cache_mode = force_generic_plan")
            count = await execute(_PARAMETERS)
            nulls = ", ".join(["NULL"] * (await count.fetchall())[0][0])
            cursor = await execute(f"{_EXPLAIN} EXECUTE planned_once{f'({nulls})' if nulls else ''}")
            found: Node = (await cursor.fetchall())[0][0][0]["Plan"]
    finally:  # no end of a transaction does it
        await execute("DEALLOCATE planned_once")
    return found


async def plan_by_index(session: Session, query: str, *, sorting: bool = True) -> Node:
    """A plan for any values in which a table is read whole only where no index can be used. Without `sorting` rows are
    sorted only where no index gives them in the order that is asked for."""
    avoided = (*_BY_INDEX, *(() if sorting else ("sort", "incremental_sort")))
    async with session.connection.transaction():
        settings = ", ".join(f"set_config('enable_{name}', 'off', true)" for name in avoided)
        await session.connection.execute(f"SELECT {settings}")
        cursor = await session.connection.execute(f"{_EXPLAIN} {without_parameters(query)}")
        found: Node = (await cursor.fetchall())[0][0][0]["Plan"]
    return found


_TABLES: Final = """
WITH RECURSIVE up(oid, root) AS (
  SELECT c.oid, c.oid FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
  WHERE (n.nspname, c.relname) IN (SELECT * FROM unnest($1::text[], $2::text[]))
  UNION ALL SELECT u.oid, h.inhparent FROM up u JOIN pg_class c ON c.oid = u.root AND c.relispartition
  JOIN pg_inherits h ON h.inhrelid = u.root)
SELECT n.nspname, c.relname, p.nspname, r.relname, r.relkind = 'p',
  EXISTS (SELECT FROM pg_stats s WHERE s.schemaname = n.nspname AND s.tablename = c.relname),
  ARRAY(SELECT a.attname::text FROM pg_attribute a JOIN pg_type t ON t.oid = a.atttypid
        WHERE a.attrelid = c.oid AND a.attnum > 0 AND t.typcategory = 'S'),
  ARRAY(SELECT a.attname::text FROM pg_attribute a JOIN pg_type t ON t.oid = a.atttypid
        WHERE a.attrelid = c.oid AND a.attnum > 0 AND (t.typcategory = 'E' OR t.oid = 'timestamptz'::regtype))
FROM up u JOIN pg_class c ON c.oid = u.oid JOIN pg_namespace n ON n.oid = c.relnamespace
JOIN pg_class r ON r.oid = u.root AND NOT r.relispartition JOIN pg_namespace p ON p.oid = r.relnamespace
"""

_MUTABLE: Final = "SELECT proname::text FROM pg_proc GROUP BY proname HAVING bool_and(provolatile <> 'i')"

_INDEXES: Final = """
SELECT n.nspname, c.relname, x.relname,
  ARRAY(SELECT pg_get_indexdef(i.indexrelid, k, true) FROM generate_series(1, i.indnkeyatts) k ORDER BY k),
  ARRAY(SELECT a.attname::text FROM pg_attribute a WHERE a.attrelid = c.oid AND a.attnum = i.indkey[0]
    OR i.indkey[0] = 0 AND a.attrelid = c.oid AND a.attnum > 0 AND EXISTS (SELECT FROM pg_depend d
      WHERE d.objid = i.indexrelid AND d.refobjid = c.oid AND d.refobjsubid = a.attnum)),
  pg_get_expr(i.indpred, c.oid, true), i.indisvalid, m.amname IN ('btree', 'hash'),
  i.indisunique AND i.indnkeyatts = 1, x.reltuples::float8, x.relpages
FROM pg_index i JOIN pg_class c ON c.oid = i.indrelid JOIN pg_namespace n ON n.oid = c.relnamespace
JOIN pg_class x ON x.oid = i.indexrelid JOIN pg_am m ON m.oid = x.relam
WHERE (n.nspname, c.relname) IN (SELECT * FROM unnest($1::text[], $2::text[]))
"""


async def facts_of(session: Session, tables: Sequence[TableName]) -> Mapping[TableName, TableFacts]:
    """Of ordinary tables and partitions."""
    if not tables:
        return {}
    asked = [[table.schema for table in tables], [table.name for table in tables]]
    indexes: dict[TableName, list[TableIndex]] = {}
    for schema, name, index, terms, columns, *rest in await session.catalog_rows(_INDEXES, asked):
        found = TableIndex(index, tuple(map(_unquoted, terms)), frozenset(columns), *rest)
        indexes.setdefault(TableName(schema, name), []).append(found)
    mutable = frozenset(name for (name,) in await session.catalog_rows(_MUTABLE, []))
    facts = {}
    for schema, name, root_schema, root, partitioned, analysed, *kinds in await session.catalog_rows(_TABLES, asked):
        table = TableName(schema, name)
        known = tuple(sorted(indexes.get(table, ()), key=lambda index: index.name))
        strings, unsettled = map(frozenset, kinds)
        whole = TableName(root_schema, root)
        facts[table] = TableFacts(whole, partitioned, analysed, strings, unsettled, mutable, known)
    return facts


# As the planner counts, but without a privilege on the table: partitions are read by that on the partitioned one.
_COUNTS: Final = """
SELECT n.nspname, c.relname, (CASE WHEN c.reltuples > 0 AND c.relpages > 0 THEN c.reltuples / c.relpages ELSE $3 END
  * pg_relation_size(c.oid) / current_setting('block_size')::int)::float8
FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
WHERE (n.nspname, c.relname) IN (SELECT * FROM unnest($1::text[], $2::text[]))
"""
_ROWS_A_PAGE: Final = 50.0
"""Of a table that was never analysed."""


async def row_counts(session: Session, tables: Sequence[TableName]) -> Mapping[TableName, float]:
    """Of ordinary tables and partitions, about: by what they take on disk now."""
    asked = [[table.schema for table in tables], [table.name for table in tables], _ROWS_A_PAGE]
    rows = await session.catalog_rows(_COUNTS, asked) if tables else ()
    return {TableName(schema, name): count or 0.0 for schema, name, count in rows}


_CHANGED: Final = """
SELECT n.nspname, c.relname, pg_is_in_recovery() OR EXISTS (
  SELECT FROM (SELECT c.oid UNION SELECT relid FROM pg_partition_tree(c.oid)) AS part(oid)
  WHERE pg_stat_get_tuples_updated(part.oid) + pg_stat_get_tuples_deleted(part.oid) > 0)
FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
WHERE (n.nspname, c.relname) IN (SELECT * FROM unnest($1::text[], $2::text[]))
"""


async def changing(session: Session, tables: Sequence[TableName]) -> frozenset[TableName]:
    """Those of which a row was updated or deleted as far back as the server counts. A standby counts nothing: all."""
    asked = [[table.schema for table in tables], [table.name for table in tables]]
    rows = await session.catalog_rows(_CHANGED, asked)
    return frozenset(TableName(schema, name) for schema, name, changed in rows if changed)


_VALUES: Final = """
SELECT attname, coalesce(most_common_vals::text::text[], ARRAY[]::text[]), histogram_bounds::text::text[]
FROM pg_stats WHERE schemaname = $1 AND tablename = $2 AND attname = ANY ($3::text[])
  -- A table that was truncated keeps those that it had.
  AND EXISTS (SELECT FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
    WHERE n.nspname = schemaname AND c.relname = tablename AND (c.reltuples > 0 OR c.relkind = 'p'))
ORDER BY inherited
"""
_COMMON: Final = 3
_ROWS: Final = 5
_READ: Final = 1_000


async def common_values(session: Session, table: TableName, columns: Sequence[str]) -> list[tuple[str, ...]]:
    """Some values of the columns by which they are planned for: the most common ones, else one from the middle. None
    when the table was never analysed."""
    rows = await session.catalog_rows(_VALUES, [table.schema, table.name, list(columns)])
    known = {name: common[:_COMMON] or (bounds or [])[len(bounds or []) // 2 :][:1] for name, common, bounds in rows}
    return list(zip(*(known.get(column, []) for column in columns), strict=False))


async def some_rows(session: Session, table: TableName, columns: Mapping[str, bool]) -> list[tuple[str | None, ...]]:
    """Values of some rows from all over the table. `columns`: those whose values are wanted, each with whether it may
    be NULL."""
    texts = ", ".join(f"{quoted(name)}::text" for name in columns)
    there = " AND ".join([f"{quoted(name)} IS NOT NULL" for name, null in columns.items() if not null] or ["true"])
    rows = (await row_counts(session, [table])).get(table, 0.0)
    pages = f" TABLESAMPLE SYSTEM ({100 * _READ / rows:.6f}) REPEATABLE (1)" if rows > _READ else ""
    query = f"SELECT {texts} FROM {quoted(table.schema, table.name)}{pages} WHERE {there} LIMIT {_READ}"
    found = [tuple(row) for row in await session.rows(query, [])]
    return [found[len(found) * part // (2 * _ROWS)] for part in range(1, 2 * _ROWS, 2)] if found else []


def _unquoted(term: str) -> str:
    plain = term.startswith('"') and term.endswith('"') and term.count('"') == 2
    return term[1:-1] if plain else term
