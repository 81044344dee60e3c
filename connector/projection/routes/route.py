"""Routes as plain data: how a changed row of one use of a table leads to the keys of the orders that it may change.

Found by `search`, compiled for the rows of the stream by `routes`, run by assembly. No I/O.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from typing import Literal, TypeAlias

from connector.projection.analysis.scopes import Source
from connector.projection.catalog.column_filters import ColumnFilter
from connector.projection.catalog.columns import Column
from connector.projection.catalog.tables import Table


@dataclass(frozen=True, slots=True)
class Hop:
    """A table that a reverse query reads, the columns that it is entered by, and the conditions that its rows meet."""

    table: Table
    columns: tuple[Column, ...]
    filters: tuple[ColumnFilter, ...] = ()

    @property
    def indexed_as(self) -> tuple[str, ...]:
        return tuple(column.indexed_as for column in self.columns)


Reads: TypeAlias = tuple[tuple[Table, frozenset[str]], ...]
"""Tables that a query of ours reads, each with the columns that it reads there."""


@dataclass(frozen=True, slots=True)
class Lookup:
    """A reverse query. `sql` has one array parameter a column (`$1`, `$2`, ...) and gives `key_types` columns
    `k1`, `k2`, ..."""

    sql: str
    value_types: tuple[str, ...]
    key_types: tuple[str, ...]
    hops: tuple[Hop, ...] = ()
    """Each table that the query reads, in this order: the changed rows lead to rows of the first."""
    reads: Reads = ()
    nullable: tuple[bool, ...] = ()
    """Of which columns of the changed row a NULL may equal something, too (by coalesce): their values are written by
    `marked`."""
    computes: bool = False
    """Some of it is an expression, which may fail for a value."""
    bounded: bool = False
    """Some of the changed row's columns are bounds (`<`, `>=`), not equal to anything."""


def marked(text: str | None) -> str:
    """The value of a column that may be NULL, as a text that never is: empty, or the value's text after a mark."""
    return "" if text is None else f"={text}"


def unmarked(sql: str, type_name: str) -> str:
    """The SQL that makes the value of it again."""
    return f"CASE WHEN {sql} <> '' THEN pg_catalog.substr({sql}, 2)::{type_name} END"


@dataclass(frozen=True, slots=True)
class Index:
    """For a route whose columns a deleted or moved row doesn't carry: what the reverse index must hold.

    `columns` is the table's replica identity. `sql` gives, for order keys as one array parameter a column, the rows
    (`r1`, `r2`, ...) that have this route to them, and the key (`k1`, `k2`, ...).
    """

    columns: tuple[Column, ...]
    sql: str
    reads: Reads = ()


@dataclass(frozen=True, slots=True)
class Route:
    """`columns` of the use are what the stream must carry: the order key's, or those that `lookup` starts from. A
    `sweep` has none: any change of the table makes all orders be looked at. `filters`: conditions that only rows meet
    which the route is for. `by_size`: swept only because the table has few rows."""

    use: Source
    table: Table
    kind: Literal["key", "column", "reverse", "sweep"]
    columns: tuple[Column, ...]
    lookup: Lookup | None = None
    index: Index | None = None
    filters: tuple[ColumnFilter, ...] = ()
    by_size: bool = False

    @property
    def reads(self) -> Reads:
        """What our own queries for this route read."""
        return (*(self.lookup.reads if self.lookup else ()), *(self.index.reads if self.index else ()))

    @property
    def index_name(self) -> str | None:
        """The reverse index that resolves what the stream doesn't carry; None: it carries all, or nothing can help."""
        return None if self.index is None else f"@{self.name}"

    @property
    def name(self) -> str:
        """The same for the same route, whatever else the mapping says."""
        parts = [self.lookup.sql if self.lookup else "", *(column.name for column in self.columns)]
        parts += [each.written("t0") for each in self.filters]
        digest = hashlib.sha256("\0".join(parts).encode()).hexdigest()
        return f"{self.table.name}:{digest[:12]}"
