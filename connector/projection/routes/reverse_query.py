"""The SQL of a route: from the columns of a changed row, along the joins of the mapping, to the keys of its orders.

Knows tables and columns; must not know how the chain of joins was found. No I/O.
"""
# ruff: noqa: S608  names come quoted from the catalog, values as parameters

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from connector.postgres.quoting import quoted
from connector.projection.analysis.scopes import Source
from connector.projection.catalog.columns import Column
from connector.projection.catalog.tables import Table
from connector.projection.routes.route import Hop, Index, Lookup, Reads
from connector.projection.sql.keys import among, given


@dataclass(frozen=True, slots=True)
class Step:
    """`pairs`: columns of a use and the columns of `to` that equal them."""

    to: Source
    pairs: tuple[tuple[Column, Column], ...]

    @property
    def stored(self) -> tuple[Column, ...]:
        """The columns of the use that the step needs."""
        return tuple(dict.fromkeys(column for mine, _ in self.pairs for column in mine.stored))


@dataclass(frozen=True, slots=True)
class Chains:
    """`direct`: the uses that hold the order key, with those columns. `steps`: for each other one, the next use."""

    direct: Mapping[Source, tuple[Column, ...]]
    steps: Mapping[Source, Step]

    def of(self, use: Source) -> tuple[list[Step], tuple[Column, ...]]:
        """The steps from a use to one that holds the key, and the key's columns there."""
        steps = []
        while use not in self.direct:
            steps.append(self.steps[use])
            use = self.steps[use].to
        return steps, self.direct[use]


def table_of(use: Source) -> Table:
    assert use.table is not None  # noqa: S101  # a use is a base table's
    return use.table


def index_of(use: Source, table: Table, wanted: tuple[Column, ...], chains: Chains) -> Index | None:
    """None when the stream carries the wanted columns of deleted rows too, or when a row can't be told by its identity
    in text form."""
    identity = tuple(column for column in table.columns.values() if column.name in table.identity)
    carried = {column.name for column in wanted} <= table.identity
    if carried or not identity or not all(column.faithful() and column.streamed for column in identity):
        return None
    steps, columns = chains.of(use)
    tables, keys = _joined(table, steps, columns, 0)
    rows = ", ".join(f"t0.{quoted(column.name)} AS r{number}" for number, column in enumerate(identity, 1))
    those = among(keys, [column.asked_as for column in columns])
    reads = _reads(table, identity, steps, columns)
    return Index(identity, f"SELECT DISTINCT {rows}, {_outputs(keys)} FROM {tables} WHERE {those}", reads)


def lookup_of(use: Source, chains: Chains) -> Lookup:
    steps, columns = chains.of(use)
    first, table = steps[0], table_of(steps[0].to)
    tables, keys = _joined(table, steps[1:], columns, 1)
    there = " AND ".join(f"{key} IS NOT NULL" for key in keys)
    return Lookup(
        f"SELECT DISTINCT {_outputs(keys)} FROM {tables} WHERE {_started(first)} AND {there}",
        tuple(mine.asked_as for mine in first.stored),
        tuple(column.asked_as for column in columns),
        table,
        tuple(theirs.indexed_as for _, theirs in first.pairs),
        tuple(map(_hop, steps)),
        _reads(table, (theirs for _, theirs in first.pairs), steps[1:], columns),
    )


def _started(step: Step) -> str:
    """The condition that a row of `t1` belongs to one of the changed rows, given as one array parameter a column."""
    theirs = [theirs.written("t1") for _, theirs in step.pairs]
    if not any(mine.parts for mine, _ in step.pairs):
        return among(theirs, [mine.asked_as for mine, _ in step.pairs])
    names = [f"c{number}" for number in range(1, len(step.stored) + 1)]
    values = {column: f"given.{name}::{column.asked_as}" for column, name in zip(step.stored, names, strict=True)}
    made = ", ".join(mine.of_values([values[column] for column in mine.stored]) for mine, _ in step.pairs)
    return f"({', '.join(theirs)}) IN (SELECT {made} FROM {given(names)})"


def _joined(table: Table, steps: Sequence[Step], columns: Sequence[Column], number: int) -> tuple[str, list[str]]:
    """FROM a table, called `t<number>`, to the one that holds the key; and the key's expressions there."""
    tables = [f"{_quoted(table)} t{number}"]
    for step in steps:
        matches = " AND ".join(
            f"{theirs.written(f't{number + 1}')} = {mine.written(f't{number}')}" for mine, theirs in step.pairs
        )
        number += 1
        tables.append(f"JOIN {_quoted(table_of(step.to))} t{number} ON {matches}")
    return " ".join(tables), [f"t{number}.{quoted(column.name)}" for column in columns]


def _outputs(keys: Sequence[str]) -> str:
    return ", ".join(f"{key} AS k{number}" for number, key in enumerate(keys, 1))


def _reads(table: Table, entered: Iterable[Column], steps: Sequence[Step], columns: Sequence[Column]) -> Reads:
    """The columns of each table on the way: those it is entered by, and those that lead on."""
    found, by = [], _names(entered)
    for step in steps:
        found.append((table, by | _names(mine for mine, _ in step.pairs)))
        table, by = table_of(step.to), _names(theirs for _, theirs in step.pairs)
    return (*found, (table, by | _names(columns)))


def _names(columns: Iterable[Column]) -> frozenset[str]:
    return frozenset(stored.name for column in columns for stored in column.stored)


def _hop(step: Step) -> Hop:
    return Hop(table_of(step.to), tuple(theirs for _, theirs in step.pairs))


def _quoted(table: Table) -> str:
    return quoted(table.name.schema, table.name.name)
