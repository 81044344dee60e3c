"""mapping.sql to a Projection: parse, read the catalog, analyse, and let the server judge what we made of it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from functools import partial
from typing import Any

import psycopg
from psycopg import AsyncConnection

from connector.changes import TableName
from connector.errors import ConfigurationError, Problem, SourceUnavailable
from connector.projection import server
from connector.projection.analysis import Found, analyse, stop
from connector.projection.catalog import Catalog
from connector.projection.definitions import Definitions
from connector.projection.failures import translated
from connector.projection.key import KeyUse
from connector.projection.mapping import Mapping
from connector.projection.needs import Needs
from connector.projection.parts import parts_of
from connector.projection.privileges import privilege_problems, read_functions, refused_problem
from connector.projection.projection import ANALYSIS_VERSION, Access, Projection, Use, Used, table_names
from connector.projection.reading import connect
from connector.projection.restriction import hidden_names, restricted
from connector.projection.routes import Routes
from connector.projection.row_security import row_security_problems
from connector.projection.scopes import Scope
from connector.projection.views import read_catalog


async def load(
    sql_text: str,
    *,
    path: str,
    read_dsn: str,
    timezone: str,
    statement_timeout_ms: int,
    sweep_tables: Sequence[str] = (),
) -> Projection:
    """Analyse a mapping against the database.

    `sweep_tables` (`schema.table`): tables of which a change that leads to no order makes all orders be looked at.
    Those whose changes aren't streamed (materialized views, foreign and unlogged tables) may be listed too: then only a
    reconcile notices. Raises ConfigurationError with every problem found (`where` is `path:LINE:COLUMN`),
    SourceUnavailable when the database can't be read."""
    mapping = Mapping(sql_text, path)
    swept = frozenset(_table_name(name) for name in sweep_tables)
    try:
        async with await connect(read_dsn, statement_timeout_ms) as connection:
            return await _analysed(mapping, connection, timezone, swept)
    except psycopg.Error as error:
        raise _as_unavailable(error) from None


async def access(
    sql_text: str, *, path: str, read_dsn: str, statement_timeout_ms: int, sweep_tables: Sequence[str] = ()
) -> Access:
    """What a mapping needs to be let into, by the catalog alone, so that a role without any privilege may ask. Raises
    as `load` does, as far as analysis can tell."""
    mapping = Mapping(sql_text, path)
    try:
        async with await connect(read_dsn, statement_timeout_ms) as connection:
            catalog, _ = await read_catalog(connection, mapping.select, mapping.called_names())
            found = analyse(mapping, catalog, frozenset(_table_name(name) for name in sweep_tables))
            stop(found.unread)
            if found.refusal is not None:
                raise found.refusal
            needs = found.needs(mapping, catalog)
            functions = await read_functions(connection, needs.called)
    except psycopg.Error as error:
        raise _as_unavailable(error) from None
    closed = tuple(function for function in functions if not function.by_all)
    return Access(table_names([way.table for way in found.ways]), needs, closed)


def _table_name(written: str) -> TableName:
    schema, _, name = written.rpartition(".")
    return TableName(schema or "public", name)


async def _analysed(
    mapping: Mapping, connection: AsyncConnection[Any], timezone: str, swept: frozenset[TableName]
) -> Projection:
    catalog, views = await read_catalog(connection, mapping.select, mapping.called_names())
    found = analyse(mapping, catalog, swept)
    needs = found.needs(mapping, catalog)
    hidden = await row_security_problems(connection, needs.columns)
    stop([*await privilege_problems(connection, needs), *(problem for problem in hidden if not problem.warning)])
    try:
        refused, locked = await server.judged(mapping, connection)
        stop(_unread(found, refused))
        top = found.top
        stop(server.unseen(mapping, {use.table.name for use in top.uses() if use.table} | set(catalog.views), locked))
        if found.refusal is not None:
            raise found.refusal
        key = found.keys[0]
        text = restricted(mapping, top, found.keys)
        columns = await server.described(mapping, connection, text, key)
        refusals = {use.table.name for use in top.uses() if use.table and use.table.refusal}
        known = refusals | {way.table.name for way in found.ways}
        stop(await server.unplanned(connection, mapping, text, key, known))
    except psycopg.errors.InsufficientPrivilege as error:
        raise ConfigurationError([await refused_problem(connection, needs, error)]) from None
    moving = (*found.warnings, *_sweep_warnings(mapping, top, swept))
    used = await _used(connection, catalog)
    texts = [*(views[name] for name in sorted(views)), used.digest]
    made = _projection(mapping, found, text, columns, timezone, texts, needs, used)
    return replace(made, moving=moving, hidden=tuple(hidden))


async def _used(connection: AsyncConnection[Any], catalog: Catalog) -> Used:
    tables = {table.name for table in catalog.tables.values()}
    definitions = Definitions(tuple(sorted(catalog.views)), tuple(sorted(catalog.called)), tuple(sorted(tables)))
    return Used(definitions, await definitions.digest(partial(_rows, connection)))


async def _rows(connection: AsyncConnection[Any], query: str, parameters: Sequence[object]) -> list[tuple[Any, ...]]:
    return await (await connection.execute(query, parameters)).fetchall()


def _unread(found: Found, refused: list[Problem]) -> list[Problem]:
    """What analysis and server have against the text; where both do, analysis says it better."""
    lines = {problem.where.rsplit(":", 1)[0] for problem in found.unread}
    return [*found.unread, *(problem for problem in refused if problem.where.rsplit(":", 1)[0] not in lines)]


def _sweep_warnings(mapping: Mapping, top: Scope, swept: frozenset[TableName]) -> list[Problem]:
    problems = [
        mapping.problem(f"{use.table.name} {use.table.refusal}: only a reconcile notices them", use.at)
        for use in top.uses()
        if use.table is not None and use.table.refusal
    ]
    read = {table.name for use in top.uses() if use.table for table in (use.table, *use.table.children)}
    unread = [f"the mapping doesn't read {name}" for name in sorted(swept - read)]
    problems += [Problem(what, "remove it", "mapping.sweep_tables") for what in unread]
    return [replace(problem, warning=True) for problem in dict.fromkeys(problems)]


def _projection(
    mapping: Mapping,
    found: Found,
    text: str,
    columns: dict[str, str],
    timezone: str,
    meanings: list[str],
    needs: Needs,
    used: Used,
) -> Projection:
    key, ways = found.keys[0], found.ways
    outputs = [f"{name} {kind}" for name, kind in columns.items()]
    indexes = sorted({way.index_name for way in ways if way.index_name})
    order_key = f"{key.table.name}({','.join(key.names)})"
    return Projection(
        path=mapping.path,
        order_table=key.table.name,
        key=key.names,
        key_types=tuple(column.asked_as for column in key.columns),
        key_columns=key.columns,
        tables=table_names([way.table for way in ways]),
        columns=columns,
        # A reverse index that is new must be filled by a sweep, as if the mapping had changed.
        fingerprint=mapping.fingerprint(ANALYSIS_VERSION, order_key, timezone, *outputs, *indexes, *meanings),
        routes=Routes(ways),
        uses=tuple(Use(way.use.alias, mapping.line(way.use.at), way) for way in ways),
        statement=mapping.statement,
        restricted=text,
        key_outputs=tuple(hidden_names(key)),
        order_table_key_is_primary=_is_primary(key),
        order_table_rows=key.table.rows,
        needs=needs,
        used=used,
        parts=parts_of(mapping, found.top, found.keys),
    )


def _is_primary(key: KeyUse) -> bool:
    """No two rows have the same key. A child's rows may have those of its parent's."""
    primary = set(key.table.primary_key)
    return bool(primary) and primary <= set(key.names) and not key.table.children


def _as_unavailable(error: psycopg.Error) -> Exception:
    found = translated(error, "reading the catalog for the mapping")
    return found if isinstance(found, SourceUnavailable) else ConfigurationError([Problem(str(found))])
