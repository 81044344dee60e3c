"""mapping.sql to a Projection: parse, read the catalog, analyse, and let the server judge what we made of it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import psycopg
from psycopg import AsyncConnection

from connector.changes import TableName
from connector.errors import ConfigurationError, Problem, SourceUnavailable
from connector.projection import server
from connector.projection.catalog import Catalog
from connector.projection.failures import translated
from connector.projection.influence import apart
from connector.projection.key import KeyUse, coupled_by_windows, find_key
from connector.projection.mapping import Mapping
from connector.projection.moving import moving_problems
from connector.projection.paths import Way, find_ways
from connector.projection.privileges import privilege_problems
from connector.projection.projection import ANALYSIS_VERSION, Projection, Use, table_names
from connector.projection.reading import connect
from connector.projection.resolve import resolve
from connector.projection.restriction import hidden_names, restricted
from connector.projection.routes import Routes
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


def _table_name(written: str) -> TableName:
    schema, _, name = written.rpartition(".")
    return TableName(schema or "public", name)


async def _analysed(
    mapping: Mapping, connection: AsyncConnection[Any], timezone: str, swept: frozenset[TableName]
) -> Projection:
    catalog, views = await read_catalog(connection, mapping.select, mapping.called_names())
    _stop(await privilege_problems(connection, (table.name for table in catalog.tables.values())))
    refused, locked = await server.judged(mapping, connection)
    top, problems = resolve(mapping, catalog, swept)
    problems += _function_problems(mapping, catalog)
    lines = {problem.where.rsplit(":", 1)[0] for problem in problems}
    problems += [problem for problem in refused if problem.where.rsplit(":", 1)[0] not in lines]
    _stop(problems)
    _stop(server.unseen(mapping, {use.table.name for use in top.uses() if use.table} | set(catalog.views), locked))
    moving, warnings = moving_problems(mapping, top, catalog)
    _stop(moving)
    top, keys = _keyed(mapping, catalog, swept, top)
    ways = _routed(mapping, top, keys, swept)
    text = restricted(mapping, top, keys)
    columns = await server.described(mapping, connection, text, keys[0])
    known = {way.table.name for way in ways} | {use.table.name for use in top.uses() if use.table and use.table.refusal}
    _stop(await server.unplanned(connection, mapping, text, keys[0], known))
    warnings += _sweep_warnings(mapping, top, swept)
    texts = [views[name] for name in sorted(views)]
    return _projection(mapping, ways, keys[0], text, columns, timezone, warnings, texts)


def _stop(problems: Sequence[Problem]) -> None:
    if problems:
        # A CTE that is read twice has each of its problems twice.
        raise ConfigurationError(list(dict.fromkeys(problems)))


def _keyed(
    mapping: Mapping, catalog: Catalog, swept: frozenset[TableName], top: Scope
) -> tuple[Scope, Sequence[KeyUse]]:
    """The order key; with the scopes read again when a window above it sees several orders."""
    keys, problems = find_key(mapping, top)
    twins = coupled_by_windows(top, keys)
    if twins:
        top, problems = resolve(mapping, catalog, swept, twins)
        _stop(problems)
        keys, problems = find_key(mapping, top)
    _stop(problems)
    return top, keys


def _routed(mapping: Mapping, top: Scope, keys: Sequence[KeyUse], swept: frozenset[TableName]) -> list[Way]:
    followed = [use for use in top.uses() if use.table is not None and not use.table.refusal]
    ways: dict[tuple[int, str], Way] = {}
    problems: list[Problem] = []
    for key in keys:
        # Rows of another branch of a set operation never meet this key; they have one of their own.
        uses = [use for use in followed if not apart(use.scope, key.use.scope)]
        found, more = find_ways(mapping, uses, key, swept)
        ways |= {(id(way.use), way.name): way for way in found}
        problems += more
    _stop(problems)
    return list(ways.values())


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
    ways: list[Way],
    key: KeyUse,
    text: str,
    columns: dict[str, str],
    timezone: str,
    warnings: list[Problem],
    views: list[str],
) -> Projection:
    outputs = [f"{name} {kind}" for name, kind in columns.items()]
    indexes = sorted({way.index_name for way in ways if way.index_name})
    order_key = f"{key.table.name}({','.join(key.names)})"
    return Projection(
        moving=tuple(warnings),
        path=mapping.path,
        order_table=key.table.name,
        key=key.names,
        key_types=tuple(column.type_name for column in key.columns),
        key_columns=key.columns,
        tables=table_names([way.table for way in ways]),
        columns=columns,
        # A reverse index that is new must be filled by a sweep, as if the mapping had changed.
        fingerprint=mapping.fingerprint(ANALYSIS_VERSION, order_key, timezone, *outputs, *indexes, *views),
        routes=Routes(ways),
        uses=tuple(Use(way.use.alias, mapping.line(way.use.at), way) for way in ways),
        statement=mapping.statement,
        restricted=text,
        key_outputs=tuple(hidden_names(key)),
        order_table_key_is_primary=_is_primary(key),
        order_table_rows=key.table.rows,
    )


def _is_primary(key: KeyUse) -> bool:
    """No two rows have the same key. A child's rows may have those of its parent's."""
    primary = set(key.table.primary_key)
    return bool(primary) and primary <= set(key.names) and not key.table.children


def _function_problems(mapping: Mapping, catalog: Catalog) -> list[Problem]:
    hint = "declare it IMMUTABLE if it reads no table, or write its tables into the mapping"
    called = mapping.called_names()
    return [
        mapping.problem(f"the function {name} may read tables whose changes could not be followed: it {why}", at, hint)
        for name, why in catalog.readers.items()
        for at in [called.get(name, 0)]
    ]


def _as_unavailable(error: psycopg.Error) -> Exception:
    found = translated(error, "reading the catalog for the mapping")
    return found if isinstance(found, SourceUnavailable) else ConfigurationError([Problem(str(found))])
