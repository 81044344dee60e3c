"""The privileges that the reading role needs: exactly those for what the mapping and our own queries for it read.

A view is read with the rights of its owner (https://www.postgresql.org/docs/current/rules-privileges.html), so its
tables need no privilege for the mapping's sake; the queries that lead from a changed row to its orders read them by
themselves, but only the columns that join them. No I/O.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass

from sqlglot import exp

from connector.model.changes import TableName
from connector.projection.analysis.scopes import Computed, Key, Scope, Source
from connector.projection.catalog.tables import Catalog
from connector.projection.routes.key import KeyUse
from connector.projection.routes.route import Route
from connector.projection.sql.mapping import Mapping as MappingText
from connector.projection.sql.syntax import QUERIES, name_of


@dataclass(frozen=True, slots=True)
class RequiredPrivileges:
    """`columns`: what is read of each table or view, None for all of it. `named`: those of them that the mapping reads;
    the others are read by our own queries alone. `schemas`: where they, functions and types are. `called`: names of
    functions, at any depth."""

    columns: Mapping[TableName, frozenset[str] | None]
    named: frozenset[TableName]
    schemas: frozenset[str]
    called: frozenset[str]


def required_privileges(
    mapping: MappingText, catalog: Catalog, top: Scope, keys: Sequence[KeyUse], routes: Sequence[Route]
) -> RequiredPrivileges:
    """`keys` and `routes` may be empty, when the mapping can't be followed yet: then it is what the mapping reads."""
    reading = _Reading(catalog)
    for scope in top.all_scopes():
        reading.take(scope)
    named = frozenset(reading.columns)
    for key in keys:
        reading.add(key.table.name, key.names)
    for table, names in (read for route in routes for read in route.reads):
        reading.add(table.name, names)
    columns = {name: None if found is None else frozenset(found) for name, found in reading.columns.items()}
    # Parameters of ours are cast to the types of what they are compared with.
    compared = [
        *(column for key in keys for column in key.columns),
        *(column for route in routes for column in route.columns),
    ]
    schemas = {name.schema for name in columns} | {column.type_schema for column in compared} | mapping.schemas()
    called = catalog.functions.called - set(_aliases([mapping.select, *(view.tree for view in catalog.views.values())]))
    return RequiredPrivileges(columns, named, frozenset(schemas - {"pg_catalog"}), called)


class _Reading:
    """Gathers the columns that the reading role itself reads, table by table."""

    def __init__(self, catalog: Catalog) -> None:
        self._catalog = catalog
        self.columns: dict[TableName, set[str] | None] = {}

    def add(self, name: TableName, columns: Iterable[str]) -> None:
        known = self.columns.setdefault(name, set())
        if known is not None:
            known.update(columns)

    def take(self, scope: Scope) -> None:
        """What stands in one scope: its sources, and the columns that its expressions name, also of scopes around."""
        for source in scope.sources:
            self._read(source, ())
        for source, key in scope.references.values():
            self._read(source, (key,))
        for source in scope.whole_rows:
            name = self._relation(source)
            if name is not None:
                self.columns[name] = None
        joined = set(_joined_by(scope.select, scope.sources))
        for source in scope.sources:
            self._read(source, (key for visible, key in source.columns.items() if visible in joined))

    def _read(self, source: Source, keys: Iterable[Key]) -> None:
        name = self._relation(source)
        if name is not None:
            self.add(name, [self._column(source, key) for key in keys])

    def _relation(self, source: Source) -> TableName | None:
        """The table or view that the role reads by this source; None for a query's or a view's own sources."""
        around = source.scope.view
        if around is not None and around not in self._catalog.invokers:
            return None
        if source.table is not None:
            return source.table.name
        view = source.inner.view if source.inner is not None else None
        return view if view != around else None

    def _column(self, source: Source, key: Key) -> str:
        assert not isinstance(key, Computed)  # noqa: S101  # no reference is one
        if isinstance(key, str):
            return key
        view = source.inner.view if source.inner is not None else None
        assert view is not None  # noqa: S101  # only a view's columns go by number here
        return self._catalog.views[view].columns[key]


def _aliases(trees: Iterable[exp.Query]) -> Iterator[str]:
    """Names of CTEs and in FROM: before a parenthesis they look like functions."""
    for tree in trees:
        for alias in tree.find_all(exp.TableAlias):
            if alias.this is not None:
                yield name_of(alias.this)


def _joined_by(query: exp.Query, sources: Sequence[Source]) -> Iterator[str]:
    """Names that USING and NATURAL join by in this SELECT: of those only the merged column is referred to."""
    parts = [query.args.get("from_"), *(query.args.get("joins") or [])]
    joins = [
        node
        for part in parts
        if part is not None
        for node in part.walk(prune=lambda node: isinstance(node, QUERIES))
        if isinstance(node, exp.Join)
    ]
    for join in joins:
        yield from (name_of(identifier) for identifier in join.args.get("using") or [])
    if any((join.method or "").upper() == "NATURAL" for join in joins):
        names = [name for source in sources for name in source.columns]
        yield from (name for name in names if names.count(name) > 1)
