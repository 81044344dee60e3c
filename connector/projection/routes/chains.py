"""Steps from use to use, and chains of them to the order key: plain data. No I/O."""
# ruff: noqa: S608  names come quoted from the catalog

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace

from connector.postgres.quoting import quoted
from connector.projection.analysis.scopes import Source
from connector.projection.catalog.column_filters import ColumnFilter
from connector.projection.catalog.columns import Column, extremes
from connector.projection.catalog.tables import Table


@dataclass(frozen=True, slots=True)
class Walk:
    """From values to values, over rows of a table any number of times: from those that the left columns of `pairs` have
    to those in the right ones. `filters`: conditions that those rows meet."""

    table: Table
    pairs: tuple[tuple[Column, Column], ...]
    filters: tuple[ColumnFilter, ...] = ()

    def written(self, start: str) -> str:
        """A query of all values that are reached from those of the query `start`, which are among them."""
        names = [f"x{number}" for number in range(1, len(self.pairs) + 1)]
        more = ", ".join(f"{right.written('w')}::{right.asked_as}" for _, right in self.pairs)
        met = [f"{left.written('w')} = walk.{name}" for (left, _), name in zip(self.pairs, names, strict=True)]
        met += [each.written("w") for each in self.filters]
        again = f"SELECT {more} FROM {quoted_name(self.table)} w JOIN walk ON {' AND '.join(met)}"
        return f"WITH RECURSIVE walk({', '.join(names)}) AS ({start} UNION {again}) SELECT * FROM walk"

    @property
    def reversed(self) -> Walk:
        return Walk(self.table, tuple((right, left) for left, right in self.pairs), self.filters)

    @property
    def reads(self) -> tuple[Table, frozenset[str]]:
        columns = [column for pair in self.pairs for column in pair]
        return self.table, names_of([*columns, *(each.column for each in self.filters)])


@dataclass(frozen=True, slots=True)
class Bound:
    """A stored column of a use, or the day of one, is `<`, `<=`, `>` or `>=` (`sign`) one of the next use, which isn't
    NULL there. `nullable`: or `mine` is NULL."""

    mine: Column
    sign: str
    theirs: Column
    nullable: bool = False

    def written(self, mine: str, alias: str) -> str:
        ends = extremes(self.mine) if self.nullable else None
        if ends is None:
            return self.theirs.meets(alias, self.sign, mine, self.mine.type)
        # An index serves this, and not an OR.
        end = ends[0] if self.sign[0] == "<" else ends[1]
        return self.theirs.meets(alias, f"{self.sign[0]}=", f"COALESCE({mine}, {end})", self.mine.type)


@dataclass(frozen=True, slots=True)
class Step:
    """`pairs`: columns of a use and the columns of `to` that equal them; with a `walk`, that equal values that it leads
    to from them, and then there are no `bounds`."""

    to: Source
    pairs: tuple[tuple[Column, Column], ...]
    walk: Walk | None = None
    bounds: tuple[Bound, ...] = ()

    @property
    def stored(self) -> tuple[Column, ...]:
        """The columns of the use that the step needs."""
        named = [column for mine, _ in self.pairs for column in mine.stored]
        return tuple(dict.fromkeys([*named, *(column for bound in self.bounds for column in bound.mine.stored)]))

    @property
    def ranged(self) -> bool:
        """Rows of `to` are found between values."""
        single = self.walk is None and not any(column.many for pair in self.pairs for column in pair)
        return bool(self.bounds) or (single and any(theirs.is_day for _, theirs in self.pairs))

    @property
    def values(self) -> tuple[tuple[Column, bool], ...]:
        """The same, each with whether a NULL of it may equal something."""
        strict = {column for mine, _ in self.pairs if mine.strict for column in mine.stored}
        strict |= {column for bound in self.bounds if not bound.nullable for column in bound.mine.stored}
        return tuple((column, column not in strict) for column in self.stored)

    @property
    def theirs(self) -> tuple[Column, ...]:
        """The columns of `to` that the step needs."""
        return tuple(dict.fromkeys([*(theirs for _, theirs in self.pairs), *(each.theirs for each in self.bounds)]))

    def narrows(self, other: Step) -> bool:
        """True when it leads nowhere that the other one doesn't lead."""
        return replace(self, bounds=()) == replace(other, bounds=()) and set(other.bounds) <= set(self.bounds)


@dataclass(frozen=True, slots=True)
class Chains:
    """`direct`: the uses that hold the order key, with those columns. `steps`: for each other one, the next use.
    `filters`: for each use the constant conditions that hold where one of its rows takes part, by whose columns they
    are about."""

    direct: Mapping[Source, tuple[Column, ...]]
    steps: Mapping[Source, Step]
    filters: Mapping[Source, Mapping[Source, tuple[ColumnFilter, ...]]]

    def on(self, use: Source, other: Source) -> tuple[ColumnFilter, ...]:
        """The conditions on `other` where a row of the use takes part."""
        return self.filters[use].get(other, ())

    def along(self, use: Source) -> list[Source]:
        """The uses on the way from one to the key, itself first."""
        return [use, *(step.to for step in self.of(use)[0])]

    def narrows(self, use: Source, other: Chains) -> bool:
        """True when the way from the use is that of the other ones, under the same conditions or more."""
        (steps, columns), (others, same) = self.of(use), other.of(use)
        if columns != same or len(steps) != len(others):
            return False
        if not all(step.narrows(wider) for step, wider in zip(steps, others, strict=True)):
            return False
        return all(set(other.on(use, each)) <= set(self.on(use, each)) for each in self.along(use))

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


def tables_of(use: Source) -> tuple[Table, ...]:
    """The tables in whose name changes of the use's rows are streamed."""
    table = table_of(use)
    return (table,) if use.only else (table, *(child for child in table.children if child.refusal is None))


def names_of(columns: Iterable[Column]) -> frozenset[str]:
    """The stored columns that those are made of."""
    return frozenset(stored.name for column in columns for stored in column.stored)


def quoted_name(table: Table) -> str:
    return quoted(table.name.schema, table.name.name)
