"""What analysis makes of a mapping: frozen, complete, ready to be run by `assembly`. No I/O."""

from __future__ import annotations

import hashlib
from collections.abc import Collection, Mapping
from dataclasses import dataclass, field
from typing import Any, Final

from connector.model.changes import TableName
from connector.model.errors import Problem
from connector.model.orders import KeyShape
from connector.projection.assembly.parts import Part
from connector.projection.catalog.columns import Column
from connector.projection.catalog.definitions import Definitions
from connector.projection.catalog.dependencies import Basis
from connector.projection.catalog.search_path import SearchPath
from connector.projection.catalog.tables import Table
from connector.projection.checks.privileges import Function
from connector.projection.checks.unqualified_names import PathName
from connector.projection.routes.required_privileges import RequiredPrivileges
from connector.projection.routes.route import Index, Route
from connector.projection.routes.routes import Routes

ANALYSIS_VERSION = "4"
"""Raised when the same mapping begins to mean something else to us."""

_UNKNOWN: Final[Mapping[str, float | None]] = {}


@dataclass(frozen=True, slots=True)
class Use:
    """One use of a table: its route to the orders, and where it stands in the mapping."""

    alias: str
    line: int
    route: Route


@dataclass(frozen=True, slots=True)
class Access:
    """What a DBA lets the connector into. `tables`: those it follows; `functions`: those that not everybody may
    call; `path`: schemas that its names are looked up in."""

    tables: tuple[TableName, ...]
    privileges: RequiredPrivileges
    functions: tuple[Function, ...]
    path: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class UsedDefinitions:
    """Views, functions and types that the mapping uses, and how they were defined as it was analysed."""

    definitions: Definitions
    digest: str


@dataclass(frozen=True, slots=True)
class Projection:
    """`columns`: output columns and their Postgres types, in order. `statement`: the mapping as written; `restricted`:
    the same for keys given as one array parameter a key column, with the key as `key_outputs` at the end.
    `pruned`: the order table has many partitions, and the key says in which one an order is.
    `nondeterministic` and `hidden`: warnings for parts of it that change without a row changing, and for rows that the
    role may not see."""

    path: str
    order_table: TableName
    key: tuple[str, ...]
    key_types: tuple[str, ...]
    key_columns: tuple[Column, ...]
    key_shape: KeyShape
    tables: tuple[TableName, ...]
    columns: Mapping[str, str]
    fingerprint: str
    routes: Routes
    uses: tuple[Use, ...]
    statement: str
    restricted: str
    key_outputs: tuple[str, ...]
    order_table_key_is_primary: bool
    order_table_rows: float
    pruned: bool
    privileges: RequiredPrivileges
    used: UsedDefinitions
    basis: Basis
    nondeterministic: tuple[Problem, ...] = ()
    hidden: tuple[Problem, ...] = ()
    path_names: Mapping[str, PathName] = field(default_factory=dict)
    search_path: SearchPath = field(default_factory=SearchPath)
    parts: tuple[Part, ...] = ()
    """For finding what of the mapping fails."""

    @property
    def followed(self) -> tuple[Table, ...]:
        """Each of `tables` as the catalog had it."""
        return tuple({use.route.table.name: use.route.table for use in self.uses}.values())

    @property
    def signature(self) -> str:
        """The same for projections that read the same and route alike. Unlike the fingerprint, which says what an order
        is, it changes with the tables themselves and their columns' types, too."""
        tables = [(table.name, table.oid, table.partial) for table in self.followed]
        routes = [_signed(use.route) for use in self.uses]
        key = (self.key_shape, self.key_types, self.key_outputs, self.order_table_key_is_primary)
        path = (self.search_path.schemas, self.search_path.open, self.search_path.exposed)
        parts = (self.fingerprint, tables, key, self.restricted, dict(self.columns), routes, path)
        read = (dict(self.routes.interest), dict(self.routes.by_table))
        return hashlib.sha256(repr((parts, read)).encode()).hexdigest()

    @property
    def indexes(self) -> Mapping[str, Index]:
        """What the reverse index holds, by name; several uses of a table with the same route share one."""
        return {use.route.index_name: use.route.index for use in self.uses if use.route.index_name and use.route.index}

    def explain(
        self, fan_outs: Mapping[str, float | None] = _UNKNOWN, insert_only: Collection[TableName] = ()
    ) -> dict[str, Any]:
        """How changes of each table lead to orders, as plain data. `fan_outs`: about how many a row of a route that is
        looked up leads to. `insert_only`: tables of which the stream has no updates and deletes."""
        tables: dict[TableName, list[dict[str, Any]]] = {}
        for use in self.uses:
            entries = tables.setdefault(use.route.table.name, [])
            entry = self._explained(use, fan_outs)
            if use.route.table.name in insert_only:
                entry["deletes"] = "reconcile"
            # A CTE read twice brings each use in it twice, mostly with the same route.
            if entry not in entries:
                entries.append(entry)
        return {
            "order_table": str(self.order_table),
            "order_key": list(self.key),
            "names": {name: str(found.table) for name, found in sorted(self.path_names.items())},
            "search_path": ["pg_catalog", *self.search_path.schemas],
            "tables": [{"table": str(name), "uses": uses} for name, uses in sorted(tables.items())],
        }

    def _explained(self, use: Use, fan_outs: Mapping[str, float | None]) -> dict[str, Any]:
        return {
            "alias": use.alias,
            "line": use.line,
            "route": use.route.kind,
            "columns": [column.name for column in use.route.columns],
            "conditions": [each.on(each.column.name) for each in use.route.filters],
            "reverse_sql": use.route.lookup.sql if use.route.lookup else None,
            "deletes": _deletes(use.route),
            "fan_out": self._fan_out(use.route, fan_outs),
            "by_size": use.route.by_size,
        }

    def _fan_out(self, route: Route, fan_outs: Mapping[str, float | None]) -> float | None:
        """Orders that one changed row makes us look at, about; None when that isn't known."""
        everyone = self.order_table_rows if self.order_table_rows > 0 else None
        if route.kind == "sweep":
            return everyone
        orders = fan_outs.get(route.name) if route.lookup else 1.0
        return orders if orders is None or everyone is None else min(orders, max(everyone, 1.0))


def _signed(route: Route) -> tuple[object, ...]:
    lookup = route.lookup and (route.lookup.sql, route.lookup.value_types, route.lookup.key_types)
    index = route.index and (route.index.columns, route.index.sql)
    return route.name, route.kind, lookup, index


def _deletes(route: Route) -> str:
    """How the orders of a deleted row are found, and those that a row is moved away from."""
    if route.kind == "sweep":
        return "sweep"
    if {column.name for column in route.columns} <= route.table.identity:
        return "replica identity"
    return "reverse index" if route.index else "sweep"


def table_names(tables: list[Table]) -> tuple[TableName, ...]:
    return tuple(sorted({table.name for table in tables}))
