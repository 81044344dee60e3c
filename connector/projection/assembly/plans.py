"""What `check` reports about a projection before it runs: plans that read whole tables, changes that the stream
can't tell, and whether the restricted query answers as the mapping does. Reads only; returns problems, changes nothing.
"""
# ruff: noqa: S608  names come quoted from the catalog, the mapping is the operator's SQL, values are parameters

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping, Sequence
from typing import Any

from psycopg.errors import QueryCanceled

from connector.model.changes import TableName
from connector.model.errors import Problem
from connector.model.orders import OrderKey
from connector.postgres.quoting import quoted
from connector.projection.assembly import statements
from connector.projection.assembly.projection import Projection, Use
from connector.projection.assembly.sessions import Session
from connector.projection.sql.keys import array_literal, decode

LARGE_ROWS = 10_000
"""A table of more rows must not be read whole for one order."""


async def plan_problems(
    session: Session, projection: Projection, key: OrderKey | None, insert_only: Collection[TableName]
) -> list[Problem]:
    """Warnings about plans and replica identities. `key` is any order's, to plan for; None when there are no orders.
    `insert_only`: tables whose deletes aren't streamed at all, which is the source's to tell."""
    problems = [*projection.hidden, *projection.nondeterministic, *projection.search_path.problems()]
    problems += [problem for use in projection.uses for problem in _use_problems(projection, use, insert_only)]
    if key is not None:
        arrays = [array_literal([text]) for text in decode(key, len(projection.key))]
        rows = await session.rows(f"EXPLAIN (VERBOSE, FORMAT JSON) {projection.restricted}", arrays)
        names = sorted(set(_scanned(rows[0][0][0]["Plan"])))
        async with projection.search_path.suspended(session.connection):
            counts = await _row_counts(session, names)
        problems += [_scan_problem(projection, name) for name in names if counts[name] > LARGE_ROWS]
    return list(dict.fromkeys(problems))


def _use_problems(projection: Projection, use: Use, insert_only: Collection[TableName]) -> Iterator[Problem]:
    route, where = use.route, f"{projection.path}:{use.line}"
    lookup = route.lookup
    if lookup is not None and not lookup.first.serves(lookup.first_columns):
        what = f"no index serves the way from {route.table.name} to its orders: {lookup.first.name} is read whole"
        yield Problem(what, _create_index(lookup.first.name, lookup.first_columns), where, warning=True)
    if route.kind == "sweep":
        what = f"no way leads from {route.table.name} to single orders: any change of it makes all orders be looked at"
        yield Problem(what, "as mapping.sweep_tables says; fine for a table that seldom changes", where, warning=True)
    missing = [column.name for column in route.columns if column.name not in route.table.identity]
    if missing and route.index is None and route.table.name not in insert_only:
        what = (
            f"the replica identity of {route.table.name} lacks {', '.join(missing)}: a deleted row makes all orders be "
            "looked at, and an order that a row is moved away from is only mended by the next reconcile"
        )
        hint = f"ALTER TABLE {quoted(route.table.name.schema, route.table.name.name)} REPLICA IDENTITY FULL;"
        yield Problem(what, hint, where, warning=True)


def _scanned(plan: Mapping[str, Any]) -> Iterator[TableName]:
    if plan["Node Type"] == "Seq Scan":
        yield TableName(plan["Schema"], plan["Relation Name"])
    for child in plan.get("Plans", ()):
        yield from _scanned(child)


async def _row_counts(session: Session, names: Sequence[TableName]) -> dict[TableName, float]:
    query = """SELECT n.nspname, c.relname, c.reltuples::float8 FROM pg_class c
        JOIN pg_namespace n ON n.oid = c.relnamespace
        WHERE (n.nspname, c.relname) IN (SELECT * FROM unnest($1::text[], $2::text[]))"""
    rows = await session.rows(query, [[name.schema for name in names], [name.name for name in names]])
    return dict.fromkeys(names, -1.0) | {TableName(schema, name): count for schema, name, count in rows}


def _scan_problem(projection: Projection, name: TableName) -> Problem:
    use = next((use for use in projection.uses if use.route.table.name == name), None)
    columns = tuple(column.name for column in use.route.columns) if use else ()
    where = f"{projection.path}:{use.line}" if use else projection.path
    hint = _create_index(name, columns) if columns else "look at its plan with EXPLAIN"
    return Problem(f"{name} is read whole to assemble a single order", hint, where, warning=True)


def _create_index(name: TableName, columns: Sequence[str]) -> str:
    # What begins with a parenthesis is an expression as Postgres prints it.
    listed = ", ".join(column if column.startswith("(") else quoted(column) for column in columns)
    return f"CREATE INDEX CONCURRENTLY ON {quoted(name.schema, name.name)} ({listed});"


async def cross_check(session: Session, projection: Projection, keys: Sequence[OrderKey]) -> list[Problem]:
    """Whether the restricted query gives the same rows for the keys as the mapping as written does, in one snapshot.

    The mapping as written is filtered by its `id` from outside, so it may have to read whole tables: when that takes
    longer than the statement timeout, a warning says that nothing was compared."""
    if not keys:
        return []
    decoded = [decode(key, len(projection.key)) for key in keys]
    arrays = [array_literal(column) for column in zip(*decoded, strict=True)]
    made = statements.documents(projection, projection.restricted, ['"m"."id"::text'])
    whole = statements.documents(projection, projection.statement, ['"m"."id"::text'])
    query = (
        f"WITH made (document, id) AS MATERIALIZED ({made}), "
        f"whole (document, id) AS ({whole} WHERE m.id::text IN (SELECT id FROM made)) "
        "SELECT pg_catalog.count(*) FROM (SELECT document, pg_catalog.count(*) AS count FROM made GROUP BY 1) m "
        "LEFT JOIN (SELECT document, pg_catalog.count(*) AS count FROM whole GROUP BY 1) w USING (document, count) "
        "WHERE w.document IS NULL"
    )
    try:
        different = int((await session.rows(query, arrays))[0][0])
    except QueryCanceled:
        what = "the mapping as written takes longer than source.statement_timeout: its answers were not compared"
        return [Problem(what, "", projection.path, warning=True)]
    if not different:
        return []
    what = f"restricted to single orders the mapping gives other rows: {different} of those of {len(keys)} orders"
    return [Problem(what, "a function or an aggregate without ORDER BY may differ from run to run", projection.path)]
