"""mapping.sql to a Projection: parse, read the catalog, analyse, and let the server judge what we made of it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from functools import partial
from typing import Any

import psycopg
from psycopg import AsyncConnection

from connector.model.changes import TableName
from connector.model.errors import ConfigurationError, Problem, SourceUnavailable
from connector.model.orders import KeyShape
from connector.projection.analyse import Found, analyse, stop
from connector.projection.analysis.qualified import found_by_path
from connector.projection.analysis.scopes import Scope
from connector.projection.assembly.key_shape import read_key_shape
from connector.projection.assembly.parts import parts_of
from connector.projection.assembly.projection import (
    ANALYSIS_VERSION,
    Access,
    Projection,
    Use,
    Used,
    table_names,
)
from connector.projection.assembly.reading import connect
from connector.projection.assembly.restriction import hidden_names, restricted
from connector.projection.catalog.definitions import Definitions
from connector.projection.catalog.dependencies import Basis, Dependencies, State, dependencies, difference
from connector.projection.catalog.planted import Names, names_of, revoked
from connector.projection.catalog.resolution import PathName
from connector.projection.catalog.search_path import SearchPath, configured_path, rows, running_path
from connector.projection.catalog.tables import Catalog, schemas_with
from connector.projection.catalog.views import read_catalog
from connector.projection.checks import server
from connector.projection.checks.privileges import privilege_problems, read_functions, refused_problem
from connector.projection.checks.row_security import row_security_problems, unfiltered
from connector.projection.routes.key import KeyUse
from connector.projection.routes.required_privileges import Needs
from connector.projection.routes.routes import Routes
from connector.projection.sql.errors import translated
from connector.projection.sql.keys import quoted
from connector.projection.sql.mapping import Mapping


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
            configured = await configured_path(connection)
            catalog, _ = await read_catalog(connection, mapping.select, mapping.identifiers, configured)
            found = analyse(mapping, catalog, frozenset(_table_name(name) for name in sweep_tables))
            stop(found.unread)
            if found.refusal is not None:
                raise found.refusal
            needs = found.needs(mapping, catalog)
            functions = await read_functions(connection, needs.called)
    except psycopg.Error as error:
        raise _as_unavailable(error) from None
    closed = tuple(function for function in functions if not function.by_all)
    return Access(table_names([way.table for way in found.ways]), needs, closed, configured)


def _table_name(written: str) -> TableName:
    schema, _, name = written.rpartition(".")
    return TableName(schema or "public", name)


async def _analysed(
    mapping: Mapping, connection: AsyncConnection[Any], timezone: str, swept: frozenset[TableName]
) -> Projection:
    configured = await configured_path(connection)
    catalog, views = await read_catalog(connection, mapping.select, mapping.identifiers, configured)
    found = analyse(mapping, catalog, swept)
    needs = found.needs(mapping, catalog)
    path = await _safe_path(mapping, connection, catalog, configured)
    depends, before = await _stands_on(connection, catalog, path)
    hidden = await row_security_problems(connection, needs.columns, catalog.views)
    stop([*await privilege_problems(connection, needs), *(problem for problem in hidden if not problem.warning)])
    try:
        refused, locked = await server.judged(mapping, connection, configured)
        stop(_unread(found, refused))
        top = found.top
        stop(server.unseen(mapping, {use.table.name for use in top.uses() if use.table} | set(catalog.views), locked))
        if found.refusal is not None:
            raise found.refusal
        names = found_by_path(top)
        stop(await _in_open_schemas(mapping, connection, names, path))
        mapping = mapping.with_schemas({at: name.schema for at, name in names.items()})
        key = found.keys[0]
        text = restricted(mapping, top, found.keys)
        columns = await server.described(mapping, connection, path, text, key)
        refusals = {use.table.name for use in top.uses() if use.table and use.table.refusal}
        known = refusals | {way.table.name for way in found.ways}
        stop(await server.unplanned(connection, mapping, path, text, key, known))
        whole = await unfiltered(connection, path, text, key)
    except psycopg.errors.InsufficientPrivilege as error:
        raise ConfigurationError([await refused_problem(connection, needs, error)]) from None
    moving = (*found.warnings, *_sweep_warnings(mapping, top, swept))
    used = await _used(connection, catalog, path.names)
    texts = [*(views[name] for name in sorted(views)), used.digest]
    shape = await read_key_shape(connection, key)
    stamp, state = await depends.read(partial(rows, connection))
    if altered := difference(before, state):
        raise SourceUnavailable(f"while the mapping was analysed, {altered}: it is tried again")
    basis = Basis(depends, stamp, state, whole and not _filters(state, needs))
    made = _projection(mapping, found, text, columns, timezone, texts, needs, used, basis, shape)
    return replace(
        made, moving=moving, hidden=tuple(hidden), path_names=_path_names(mapping, names, catalog), search_path=path
    )


async def _stands_on(
    connection: AsyncConnection[Any], catalog: Catalog, path: SearchPath
) -> tuple[Dependencies, State]:
    """Raises SourceUnavailable when a table that was read a moment ago is gone."""
    ask, schemas = partial(rows, connection), {*path.schemas, *path.names.schemas}
    depends = await dependencies(ask, _relations(catalog), sorted(catalog.functions.called), sorted(schemas))
    _, state = await depends.read(ask)
    if not {str(oid) for oid in depends.relations} <= state["relations"].keys():
        raise SourceUnavailable("while the mapping was analysed, a table of it was replaced: it is tried again")
    return depends, state


async def _safe_path(
    mapping: Mapping, connection: AsyncConnection[Any], catalog: Catalog, configured: Sequence[str]
) -> SearchPath:
    """Raises ConfigurationError when a name of the mapping may mean what somebody planted."""
    functions, tables = catalog.functions, [table.oid for table in catalog.tables.values()]
    path, planted = await running_path(names_of(functions.words, configured, tables), connection)
    stop([mapping.problem(each.what, mapping.identifiers.offset(each.name), each.hint) for each in planted])
    return path


async def _in_open_schemas(
    mapping: Mapping, connection: AsyncConnection[Any], names: dict[int, TableName], path: SearchPath
) -> list[Problem]:
    """A table that is found before another one of its name, in a schema that others may create in, may be planted."""
    wanted = {at: name for at, name in names.items() if name.schema in path.open}
    there = await schemas_with(connection, sorted({name.name for name in wanted.values()}), path.names.path)
    return [
        mapping.problem(
            f"{name.name} means {name}, in a schema that others may create in, though there is"
            f" {', '.join(f'{schema}.{name.name}' for schema in there[name.name] if schema != name.schema)}",
            at,
            f"write {quoted(name.schema, name.name)} if that is meant, or let a DBA run: {revoked(name.schema)}",
        )
        for at, name in wanted.items()
        if there.get(name.name, [name.schema])[1:] and there[name.name][0] == name.schema
    ]


def _path_names(mapping: Mapping, found: dict[int, TableName], catalog: Catalog) -> dict[str, PathName]:
    oids = {table.name: table.oid for table in catalog.tables.values()}
    return {name.name: PathName(name, oids[name], mapping.where(at)) for at, name in reversed(found.items())}


def _relations(catalog: Catalog) -> list[int]:
    tables = list(catalog.tables.values())
    return [table.oid for table in (*tables, *(child for table in tables for child in table.children))]


def _filters(state: State, needs: Needs) -> bool:
    """Whether a policy applies to what the role reads itself, in queries of ours too."""
    own = {str(name) for name in needs.columns}
    relations = state["relations"].values()
    return any(one["name"] in own and state["role"] in (one["row_security"] or {}) for one in relations)


async def _used(connection: AsyncConnection[Any], catalog: Catalog, names: Names) -> Used:
    tables = {table.name for table in catalog.tables.values()}
    called = tuple(sorted(catalog.functions.called))
    definitions = Definitions(tuple(sorted(catalog.views)), called, tuple(sorted(tables)), names)
    return Used(definitions, await definitions.digest(partial(rows, connection)))


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
    basis: Basis,
    shape: KeyShape,
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
        key_shape=shape,
        tables=table_names([way.table for way in ways]),
        columns=columns,
        # A reverse index that is new must be filled by a sweep, as if the mapping had changed.
        fingerprint=mapping.fingerprint(ANALYSIS_VERSION, order_key, timezone, *outputs, *indexes, *meanings),
        routes=Routes(ways, key.table.name),
        uses=tuple(Use(way.use.alias, mapping.line(way.use.at), way) for way in ways),
        statement=mapping.statement,
        restricted=text,
        key_outputs=tuple(hidden_names(key)),
        order_table_key_is_primary=_is_primary(key),
        order_table_rows=key.table.rows,
        needs=needs,
        used=used,
        basis=basis,
        parts=parts_of(mapping, found.top, found.keys),
    )


def _is_primary(key: KeyUse) -> bool:
    """No two rows have the same key. A child's rows may have those of its parent's."""
    primary = set(key.table.primary_key)
    return bool(primary) and primary <= set(key.names) and not key.table.children


def _as_unavailable(error: psycopg.Error) -> Exception:
    found = translated(error, "reading the catalog for the mapping")
    return found if isinstance(found, SourceUnavailable) else ConfigurationError([Problem(str(found))])
