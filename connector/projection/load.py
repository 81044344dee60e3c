"""mapping.sql to a Projection: parse, read the catalog, analyse, and let the server judge what we made of it.

The server is asked three things: does it take the mapping as written; which relations does it lock for it (they must be
those that the analysis saw); does the restricted query give the same columns and types.
"""
# ruff: noqa: S608  the mapping is SQL that the operator wrote; running it is what this is for

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import psycopg
from psycopg import AsyncConnection
from sqlglot import exp

from connector.changes import TableName
from connector.errors import ConfigurationError, Problem, SourceUnavailable
from connector.projection.catalog import Catalog, read_catalog
from connector.projection.failures import condition, translated
from connector.projection.key import KeyUse, find_key
from connector.projection.keys import array_literal, quoted
from connector.projection.mapping import Mapping, name_of
from connector.projection.paths import Way, find_ways
from connector.projection.privileges import privilege_problems
from connector.projection.projection import ANALYSIS_VERSION, Projection, Use, table_names
from connector.projection.reading import connect
from connector.projection.resolve import resolve
from connector.projection.restriction import hidden_names, restricted
from connector.projection.routes import Routes
from connector.projection.scopes import Scope

_READS_TABLES = frozenset(
    f"{what}_to_{form}" for what in ("query", "table", "cursor", "schema", "database") for form in ("xml", "xmlschema")
) | {"query_to_xml_and_xmlschema", "table_to_xml_and_xmlschema", "ts_stat", "dblink", "pg_read_file", "lo_get"}

_MOVING = frozenset(
    {"now", "random", "gen_random_uuid", "clock_timestamp", "statement_timestamp", "transaction_timestamp", "timeofday"}
    | {"current_date", "current_time", "current_timestamp", "localtime", "localtimestamp"}
)

_LOCKED = """
SELECT DISTINCT n.nspname, c.relname FROM pg_locks l JOIN pg_class c ON c.oid = l.relation
JOIN pg_namespace n ON n.oid = c.relnamespace
WHERE l.pid = pg_backend_pid() AND l.locktype = 'relation' AND c.relkind IN ('r', 'p', 'v', 'm', 'f')
  AND n.nspname NOT IN ('pg_catalog', 'information_schema')
"""


async def load(sql_text: str, *, path: str, read_dsn: str, timezone: str, statement_timeout_ms: int) -> Projection:
    """Analyse a mapping against the database.

    Raises ConfigurationError with every problem found (`where` is `path:LINE:COLUMN`), SourceUnavailable when the
    database can't be read."""
    mapping = Mapping(sql_text, path)
    try:
        async with await connect(read_dsn, statement_timeout_ms) as connection:
            return await _analysed(mapping, connection, timezone)
    except psycopg.Error as error:
        raise _as_unavailable(error) from None


async def _analysed(mapping: Mapping, connection: AsyncConnection[Any], timezone: str) -> Projection:
    functions = mapping.called_names()
    catalog = await read_catalog(connection, _table_names(mapping.select), list(functions))
    _stop(await privilege_problems(connection, (table.name for table in catalog.tables.values())))
    refused, locked = await _judged(mapping, connection)
    top, problems = resolve(mapping, catalog)
    problems += _function_problems(mapping, catalog, functions)
    lines = {problem.where.rsplit(":", 1)[0] for problem in problems}
    problems += [problem for problem in refused if problem.where.rsplit(":", 1)[0] not in lines]
    _stop(problems)
    _stop(_unseen(mapping, top, locked))
    key, problems = find_key(mapping, top)
    if key is None or problems:
        raise ConfigurationError(problems)
    ways, problems = find_ways(mapping, top, key)
    _stop(problems)
    text = restricted(mapping, top, key)
    columns = await _outputs(mapping, connection, text, key)
    return _projection(mapping, ways, key, text, columns, timezone)


def _stop(problems: Sequence[Problem]) -> None:
    if problems:
        # A CTE that is read twice has each of its problems twice.
        raise ConfigurationError(list(dict.fromkeys(problems)))


def _table_names(select: exp.Select) -> list[tuple[str | None, str]]:
    names = {
        (name_of(table.args["db"]) if table.args.get("db") else None, name_of(table.this)): None
        for table in select.find_all(exp.Table)
        if isinstance(table.this, exp.Identifier)
    }
    return list(names)


def _projection(
    mapping: Mapping, ways: list[Way], key: KeyUse, text: str, columns: dict[str, str], timezone: str
) -> Projection:
    outputs = [f"{name} {kind}" for name, kind in columns.items()]
    indexes = sorted({way.index_name for way in ways if way.index_name})
    order_key = f"{key.table.name}({','.join(key.names)})"
    return Projection(
        moving=_moving(mapping),
        path=mapping.path,
        order_table=key.table.name,
        key=key.names,
        key_types=tuple(column.type_name for column in key.columns),
        key_columns=key.columns,
        tables=table_names([way.table for way in ways]),
        columns=columns,
        # A reverse index that is new must be filled by a sweep, as if the mapping had changed.
        fingerprint=mapping.fingerprint(ANALYSIS_VERSION, order_key, timezone, *outputs, *indexes),
        routes=Routes(ways),
        uses=tuple(Use(way.use.alias, mapping.line(way.use.at), way) for way in ways),
        statement=mapping.statement,
        restricted=text,
        key_outputs=tuple(hidden_names(key)),
        order_table_key_is_primary=set(key.table.primary_key) <= set(key.names) and bool(key.table.primary_key),
        order_table_rows=key.table.rows,
    )


def _function_problems(mapping: Mapping, catalog: Catalog, functions: dict[str, int]) -> list[Problem]:
    hint = "declare it IMMUTABLE if it reads no table, or write its tables into the mapping"
    return [
        mapping.problem(f"the function {name} may read tables whose changes could not be followed", at, hint)
        for name, at in functions.items()
        if name in catalog.readers or name in _READS_TABLES
    ]


def _moving(mapping: Mapping) -> tuple[Problem, ...]:
    """Warnings for what changes an order without any row changing."""
    hint = "only a reconcile notices; take time and chance from a column instead"
    return tuple(
        replace(mapping.problem(f"{name} changes orders without a change of a row", at, hint), warning=True)
        for name, at in mapping.words(_MOVING).items()
    )


async def _judged(mapping: Mapping, connection: AsyncConnection[Any]) -> tuple[list[Problem], set[TableName]]:
    """What the server says against the mapping as written, and the relations that it locks to parse it."""
    prefix = "PREPARE redo_connector_mapping AS "
    await connection.execute("BEGIN")
    try:
        before = await _locked(connection)
        await connection.execute(prefix + mapping.statement)
        return [], await _locked(connection) - before
    except psycopg.Error as error:
        if error.sqlstate is None or error.sqlstate.startswith(("08", "57", "53")):
            raise
        return [_refusal(mapping, error, len(prefix))], set()
    finally:
        if not connection.closed:
            await connection.execute("ROLLBACK")
            await connection.execute("DEALLOCATE ALL")


async def _locked(connection: AsyncConnection[Any]) -> set[TableName]:
    rows = await (await connection.execute(_LOCKED)).fetchall()
    return {TableName(*row) for row in rows}


def _refusal(mapping: Mapping, error: psycopg.Error, prefix: int) -> Problem:
    """The server's own words: at this point they can quote the mapping, never a row."""
    what = error.diag.message_primary or condition(error.sqlstate or "")
    position = int(error.diag.statement_position or prefix + 1) - 1 - prefix
    return mapping.problem(what, max(0, position), error.diag.message_hint or "")


def _unseen(mapping: Mapping, top: Scope, locked: set[TableName]) -> list[Problem]:
    """The analysis must have seen exactly what the server reads."""
    seen = {use.table.name for use in top.uses() if use.table is not None}
    names = ", ".join(str(name) for name in sorted(locked ^ seen))
    if not names:
        return []
    return [mapping.problem(f"the server reads other tables than the analysis found: {names}", 0, "simplify the query")]


async def _outputs(mapping: Mapping, connection: AsyncConnection[Any], text: str, key: KeyUse) -> dict[str, str]:
    """The output columns and their types: the same for the mapping as written and restricted."""
    written = await _described(connection, mapping.statement, [])
    try:
        made = await _described(connection, text, [array_literal(()) for _ in key.columns])
    except psycopg.Error as error:
        if error.sqlstate is None or not error.sqlstate.startswith(("42", "0A")):
            raise
        names = ", ".join(f"{key.use.alias}.{name}" for name in key.names)
        what = f"the mapping can't be restricted to single orders by {names}: {error.diag.message_primary}"
        raise ConfigurationError([mapping.problem(what, key.use.at)]) from None
    if made[: len(written)] != written or len(made) != len(written) + len(key.columns):
        what = "the restricted query has other columns than the mapping: name the columns instead of *"
        raise ConfigurationError([mapping.problem(what, 0)])
    twice = {name for name, _ in written if [other for other, _ in written].count(name) > 1}
    if twice:
        what = f"output columns of the same name: {', '.join(sorted(twice))}"
        raise ConfigurationError([mapping.problem(what, 0, "give each its own name with AS")])
    return dict(written)


async def _described(connection: AsyncConnection[Any], text: str, parameters: list[str]) -> list[tuple[str, str]]:
    cursor = await connection.execute(f"SELECT * FROM (\n{text}\n) AS {quoted('m')} LIMIT 0", parameters)
    columns = [(column.name, column.type_code) for column in cursor.description or ()]
    oids = [oid for _, oid in columns]
    rows = await (
        await connection.execute(
            "SELECT format_type(o, NULL) FROM unnest($1::oid[]) WITH ORDINALITY AS t(o, i) ORDER BY i", [oids]
        )
    ).fetchall()
    return [(name, row[0]) for (name, _), row in zip(columns, rows, strict=True)]


def _as_unavailable(error: psycopg.Error) -> Exception:
    found = translated(error, "reading the catalog for the mapping")
    return found if isinstance(found, SourceUnavailable) else ConfigurationError([Problem(str(found))])
