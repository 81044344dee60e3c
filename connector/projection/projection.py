"""What analysis makes of a mapping: frozen, complete, ready to be run by `assembly`. No I/O."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from connector.changes import TableName
from connector.errors import Problem
from connector.projection.catalog import Column, Table
from connector.projection.paths import Index, Way
from connector.projection.routes import Routes

ANALYSIS_VERSION = "2"
"""Raised when the same mapping begins to mean something else to us."""


@dataclass(frozen=True, slots=True)
class Use:
    """One use of a table: its way to the orders, and where it stands in the mapping."""

    alias: str
    line: int
    way: Way


@dataclass(frozen=True, slots=True)
class Projection:
    """`columns`: output columns and their Postgres types, in order. `statement`: the mapping as written; `restricted`:
    the same for keys given as one array parameter a key column, with the key as `key_outputs` at the end. `moving`:
    warnings for parts of it that change without a row changing."""

    path: str
    order_table: TableName
    key: tuple[str, ...]
    key_types: tuple[str, ...]
    key_columns: tuple[Column, ...]
    tables: tuple[TableName, ...]
    columns: Mapping[str, str]
    fingerprint: str
    routes: Routes
    uses: tuple[Use, ...]
    statement: str
    restricted: str
    key_outputs: tuple[str, ...]
    moving: tuple[Problem, ...]
    order_table_key_is_primary: bool
    order_table_rows: float

    @property
    def indexes(self) -> Mapping[str, Index]:
        """What the reverse index holds, by name; several uses of a table with the same way share one."""
        return {use.way.index_name: use.way.index for use in self.uses if use.way.index_name and use.way.index}

    def explain(self) -> dict[str, Any]:
        """How changes of each table lead to orders, as plain data."""
        tables: dict[TableName, list[dict[str, Any]]] = {}
        for use in self.uses:
            entries = tables.setdefault(use.way.table.name, [])
            entry = _explained(use)
            # A CTE read twice brings each use in it twice, mostly with the same way.
            if entry not in entries:
                entries.append(entry)
        return {
            "order_table": str(self.order_table),
            "order_key": list(self.key),
            "tables": [{"table": str(name), "uses": uses} for name, uses in sorted(tables.items())],
        }


def _explained(use: Use) -> dict[str, Any]:
    way, lookup = use.way, use.way.lookup
    wanted = {column.name for column in way.columns}
    return {
        "alias": use.alias,
        "line": use.line,
        "route": way.kind,
        "columns": [column.name for column in way.columns],
        "reverse_sql": lookup.sql if lookup else None,
        "indexed": lookup.first.serves(lookup.first_columns) if lookup else True,
        "deletes": "replica identity" if wanted <= way.table.identity else "reverse index" if way.index else "sweep",
    }


def table_names(tables: list[Table]) -> tuple[TableName, ...]:
    return tuple(sorted({table.name for table in tables}))
