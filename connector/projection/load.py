"""mapping.sql to a Projection: parsed, analysed against the catalog, and checked by the server."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from collections.abc import Mapping as Dictionary
from contextlib import contextmanager
from dataclasses import dataclass, replace
from functools import partial
from typing import Any

import psycopg
from psycopg import AsyncConnection

from connector.model.changes import TableName
from connector.model.errors import ConfigurationError, Problem, SourceUnavailable
from connector.model.orders import KeyShape
from connector.projection.analyse import Analysis, analyse, raise_problems
from connector.projection.assembly.key_shape import read_key_shape
from connector.projection.assembly.parts import parts_of
from connector.projection.assembly.projection import (
    ANALYSIS_VERSION,
    Access,
    Projection,
    Use,
    UsedDefinitions,
    table_names,
)
from connector.projection.assembly.restriction import hidden_names, restricted
from connector.projection.assembly.sessions import ReadSettings, connect
from connector.projection.catalog.definitions import Definitions
from connector.projection.catalog.dependencies import Basis, Dependencies, State, dependencies, difference
from connector.projection.catalog.search_path import SearchPath, configured_path, rows, running_path
from connector.projection.catalog.tables import Catalog
from connector.projection.catalog.untrusted import LookedUpNames, looked_up_names
from connector.projection.catalog.views import read_catalog
from connector.projection.checks import server
from connector.projection.checks.privileges import privilege_problems, read_functions, refused_problem
from connector.projection.checks.row_security import row_security_problems, unfiltered
from connector.projection.checks.unqualified_names import ambiguous_names, path_names, unqualified_names
from connector.projection.routes.key import KeyUse
from connector.projection.routes.required_privileges import RequiredPrivileges
from connector.projection.routes.routes import Routes
from connector.projection.sql.errors import translated
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
    with _in_plain_words(path):
        mapping = Mapping(sql_text, path)
        swept = frozenset(_table_name(name) for name in sweep_tables)
        async with await connect(ReadSettings(read_dsn, statement_timeout_ms)) as connection:
            return await _loaded(await _look_up(mapping, connection, swept), connection, timezone)


async def access(
    sql_text: str, *, path: str, read_dsn: str, statement_timeout_ms: int, sweep_tables: Sequence[str] = ()
) -> Access:
    """What a mapping needs to be let into, by the catalog alone, so that a role without any privilege may ask. Raises
    as `load` does, as far as analysis can tell."""
    with _in_plain_words(path):
        mapping = Mapping(sql_text, path)
        swept = frozenset(_table_name(name) for name in sweep_tables)
        async with await connect(ReadSettings(read_dsn, statement_timeout_ms)) as connection:
            looked = await _look_up(mapping, connection, swept)
            raise_problems(looked.analysis.text_problems)
            if looked.analysis.refusal is not None:
                raise looked.analysis.refusal
            functions = await read_functions(connection, looked.privileges.called)
    closed = tuple(function for function in functions if not function.by_all)
    tables = table_names([route.table for route in looked.analysis.routes])
    return Access(tables, looked.privileges, closed, looked.configured)


@contextmanager
def _in_plain_words(path: str) -> Iterator[None]:
    """What the database and the parser raise, as errors of ours."""
    try:
        yield
    except psycopg.Error as error:
        raise _as_unavailable(error) from None
    except RecursionError:
        what = "it, or a view that it reads, is nested too deeply to be analysed"
        hint = (
            "write it flatter: fewer brackets, CASEs and terms in a row; long lists of terms into a table or an array"
        )
        raise ConfigurationError([Problem(what, hint, path)]) from None


def _table_name(written: str) -> TableName:
    schema, _, name = written.rpartition(".")
    return TableName(schema or "public", name)


@dataclass(frozen=True, slots=True)
class _Looked:
    """A mapping and what the catalog says of it. `configured`: the schemas that the role's sessions look in; `views`:
    their texts."""

    mapping: Mapping
    swept: frozenset[TableName]
    configured: tuple[str, ...]
    catalog: Catalog
    views: Dictionary[TableName, str]
    analysis: Analysis
    privileges: RequiredPrivileges


@dataclass(frozen=True, slots=True)
class _Accepted:
    """What the server takes. `mapping`: with the schemas of `names`; `restricted`: it for single orders; `columns`: its
    output columns and their types; `unfiltered`: no policy applies to it."""

    mapping: Mapping
    names: dict[int, TableName]
    restricted: str
    columns: dict[str, str]
    unfiltered: bool


@dataclass(frozen=True, slots=True)
class _Watched:
    """What must stay as it is while orders are read."""

    path: SearchPath
    used: UsedDefinitions
    key_shape: KeyShape
    basis: Basis
    hidden: tuple[Problem, ...]


async def _look_up(mapping: Mapping, connection: AsyncConnection[Any], swept: frozenset[TableName]) -> _Looked:
    configured = await configured_path(connection)
    catalog, views = await read_catalog(connection, mapping.select, mapping.identifiers, configured)
    analysis = analyse(mapping, catalog, swept)
    return _Looked(mapping, swept, configured, catalog, views, analysis, analysis.privileges(mapping, catalog))


async def _loaded(looked: _Looked, connection: AsyncConnection[Any], timezone: str) -> Projection:
    catalog, privileges = looked.catalog, looked.privileges
    path = await _safe_path(looked, connection)
    depends, before = await _dependencies(connection, catalog, path)
    hidden = await row_security_problems(connection, privileges.columns, catalog.views)
    raise_problems(
        [*await privilege_problems(connection, privileges), *(problem for problem in hidden if not problem.warning)]
    )
    try:
        accepted = await _accepted(looked, connection, path)
    except psycopg.errors.InsufficientPrivilege as error:
        raise ConfigurationError([await refused_problem(connection, privileges, error)]) from None
    used = await _used(connection, catalog, path.names)
    shape = await read_key_shape(connection, looked.analysis.keys[0])
    stamp, state = await depends.read(partial(rows, connection))
    if altered := difference(before, state):
        raise SourceUnavailable(f"while the mapping was analysed, {altered}: it is tried again")
    basis = Basis(depends, stamp, state, accepted.unfiltered and not _filters(state, privileges))
    return _projection(looked, accepted, _Watched(path, used, shape, basis, tuple(hidden)), timezone)


async def _accepted(looked: _Looked, connection: AsyncConnection[Any], path: SearchPath) -> _Accepted:
    """Have the server judge the mapping and what was made of it. Raises ConfigurationError, psycopg.Error."""
    mapping, found, catalog = looked.mapping, looked.analysis, looked.catalog
    refused, locked = await server.judged(mapping, connection, looked.configured)
    raise_problems(_text_problems(found, refused))
    tables = [use.table for use in found.top.uses() if use.table]
    raise_problems(server.unseen(mapping, {table.name for table in tables} | set(catalog.views), locked))
    if found.refusal is not None:
        raise found.refusal
    names = unqualified_names(found.top)
    raise_problems(await ambiguous_names(mapping, connection, names, path))
    mapping = mapping.with_schemas({at: name.schema for at, name in names.items()})
    key = found.keys[0]
    text = restricted(mapping, found.top, found.keys)
    columns = await server.described(mapping, connection, path, text, key)
    known = {table.name for table in tables if table.refusal} | {route.table.name for route in found.routes}
    raise_problems(await server.unplanned(connection, mapping, path, text, key, known))
    return _Accepted(mapping, names, text, columns, await unfiltered(connection, path, text, key))


async def _dependencies(
    connection: AsyncConnection[Any], catalog: Catalog, path: SearchPath
) -> tuple[Dependencies, State]:
    """Raises SourceUnavailable when a table that was read a moment ago is gone."""
    ask, schemas = partial(rows, connection), {*path.schemas, *path.names.schemas}
    depends = await dependencies(ask, _relations(catalog), sorted(catalog.functions.called), sorted(schemas))
    _, state = await depends.read(ask)
    if not {str(oid) for oid in depends.relations} <= state["relations"].keys():
        raise SourceUnavailable("while the mapping was analysed, a table of it was replaced: it is tried again")
    return depends, state


async def _safe_path(looked: _Looked, connection: AsyncConnection[Any]) -> SearchPath:
    """Raises ConfigurationError when a name of the mapping may mean an untrusted object."""
    mapping, functions = looked.mapping, looked.catalog.functions
    tables = [table.oid for table in looked.catalog.tables.values()]
    path, untrusted = await running_path(looked_up_names(functions.words, looked.configured, tables), connection)
    raise_problems([mapping.problem(each.what, mapping.identifiers.offset(each.name), each.hint) for each in untrusted])
    return path


def _relations(catalog: Catalog) -> list[int]:
    tables = list(catalog.tables.values())
    return [table.oid for table in (*tables, *(child for table in tables for child in table.children))]


def _filters(state: State, privileges: RequiredPrivileges) -> bool:
    """Whether a policy applies to what the role reads itself, in queries of ours too."""
    own = {str(name) for name in privileges.columns}
    relations = state["relations"].values()
    return any(one["name"] in own and state["role"] in (one["row_security"] or {}) for one in relations)


async def _used(connection: AsyncConnection[Any], catalog: Catalog, names: LookedUpNames) -> UsedDefinitions:
    tables = {table.name for table in catalog.tables.values()}
    called = tuple(sorted(catalog.functions.called))
    definitions = Definitions(tuple(sorted(catalog.views)), called, tuple(sorted(tables)), names)
    return UsedDefinitions(definitions, await definitions.digest(partial(rows, connection)))


def _text_problems(found: Analysis, refused: list[Problem]) -> list[Problem]:
    """What analysis and server have against the text; where both do, analysis says it better."""
    lines = {problem.where.rsplit(":", 1)[0] for problem in found.text_problems}
    return [*found.text_problems, *(problem for problem in refused if problem.where.rsplit(":", 1)[0] not in lines)]


def _sweep_warnings(looked: _Looked) -> list[Problem]:
    uses = [(use, use.table) for use in looked.analysis.top.uses() if use.table]
    problems = [
        looked.mapping.problem(f"{table.name} {table.refusal}: only a reconcile notices them", use.at)
        for use, table in uses
        if table.refusal
    ]
    read = {each.name for _, table in uses for each in (table, *table.children)}
    unread = [f"the mapping doesn't read {name}" for name in sorted(looked.swept - read)]
    problems += [Problem(what, "remove it", "mapping.sweep_tables") for what in unread]
    return [replace(problem, warning=True) for problem in dict.fromkeys(problems)]


def _projection(looked: _Looked, accepted: _Accepted, watched: _Watched, timezone: str) -> Projection:
    found, mapping = looked.analysis, accepted.mapping
    key, routes = found.keys[0], found.routes
    return Projection(
        path=mapping.path,
        order_table=key.table.name,
        key=key.names,
        key_types=tuple(column.asked_as for column in key.columns),
        key_columns=key.columns,
        key_shape=watched.key_shape,
        tables=table_names([route.table for route in routes]),
        columns=accepted.columns,
        fingerprint=_fingerprint(looked, accepted, watched.used, timezone),
        routes=Routes(routes, key.table.name),
        uses=tuple(Use(route.use.alias, mapping.line(route.use.at), route) for route in routes),
        statement=mapping.statement,
        restricted=accepted.restricted,
        key_outputs=tuple(hidden_names(key)),
        order_table_key_is_primary=_is_primary(key),
        order_table_rows=key.table.rows,
        pruned=key.table.pruned_by == key.names,
        privileges=looked.privileges,
        used=watched.used,
        basis=watched.basis,
        nondeterministic=(*found.warnings, *_sweep_warnings(looked)),
        hidden=watched.hidden,
        path_names=path_names(mapping, accepted.names, looked.catalog),
        search_path=watched.path,
        parts=parts_of(mapping, found.top, found.keys),
    )


def _fingerprint(looked: _Looked, accepted: _Accepted, used: UsedDefinitions, timezone: str) -> str:
    key = looked.analysis.keys[0]
    outputs = [f"{name} {kind}" for name, kind in accepted.columns.items()]
    # A reverse index that is new must be filled by a sweep, as if the mapping had changed.
    indexes = sorted({route.index_name for route in looked.analysis.routes if route.index_name})
    meanings = [*(looked.views[name] for name in sorted(looked.views)), used.digest]
    order_key = f"{key.table.name}({','.join(key.names)})"
    return accepted.mapping.fingerprint(ANALYSIS_VERSION, order_key, timezone, *outputs, *indexes, *meanings)


def _is_primary(key: KeyUse) -> bool:
    """No two rows have the same key. A child's rows may have those of its parent's."""
    primary = set(key.table.primary_key)
    return bool(primary) and primary <= set(key.names) and not key.table.children


def _as_unavailable(error: psycopg.Error) -> Exception:
    found = translated(error, "reading the catalog for the mapping")
    return found if isinstance(found, SourceUnavailable) else ConfigurationError([Problem(str(found))])
