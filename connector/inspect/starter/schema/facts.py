"""What the catalog says of a database's tables, as far as a starter is made from it. Pure; names are not quoted unless
it is said."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from connector.model.changes import TableName
from connector.projection.catalog.columns import Column
from connector.projection.catalog.tables import Table

NUMBERS = frozenset({"numeric", "float4", "float8", "money"})
INTEGERS = frozenset({"int2", "int4", "int8"})
TEXTS = frozenset({"text", "varchar", "bpchar", "citext"})
MOMENTS = frozenset({"timestamp", "timestamptz"})
_VARIABLE_HEADER = 4
"""Bytes that a length of varchar or char counts beside its characters."""


@dataclass(frozen=True, slots=True)
class ForeignKey:
    """`columns` of one table hold the `referred` columns of another. `declared`: by a constraint, else by names."""

    columns: tuple[str, ...]
    table: TableName
    referred: tuple[str, ...]
    declared: bool = True


@dataclass(frozen=True, slots=True)
class TableFacts:
    """`written`, `quoted`: how it and its columns are written in SQL; `labels`: the words of columns that have few;
    `comment`, `comments`: what the catalog says of it and of its columns."""

    table: Table
    written: str
    quoted: Mapping[str, str]
    keys: tuple[ForeignKey, ...] = ()
    labels: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    comments: Mapping[str, str] = field(default_factory=dict)
    comment: str = ""

    @property
    def name(self) -> TableName:
        return self.table.name

    @property
    def columns(self) -> Mapping[str, Column]:
        return self.table.columns

    @property
    def identity(self) -> tuple[str, ...]:
        """What tells a row: the primary key without a time stamp, which is there for partitions' sake."""
        key = self.table.primary_key
        return tuple(name for name in key if self.columns[name].type not in MOMENTS) or key

    def text(self, column: str) -> bool:
        return self.columns[column].type in TEXTS or self.columns[column].is_enum

    def length(self, column: str) -> int | None:
        """The most characters that a text may have; None for no bound."""
        known = self.columns[column]
        return known.modifier - _VARIABLE_HEADER if known.type in ("varchar", "bpchar") and known.modifier > 0 else None


Schema = Mapping[TableName, TableFacts]
"""The tables that a starter may use, by name."""
