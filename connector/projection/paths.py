"""For every use of a table, the way from one of its rows to the orders that the row may change.

A way may lead to more orders than needed, never to fewer. It is found outwards from the key: first the uses that hold
the order key themselves, then those joined to one with a way, and so on. Each way continues exactly as that of the use
it steps to; so when rows along it change too, the changed row nearest to the order still finds it. No I/O.
"""
# ruff: noqa: S608  names come quoted from the catalog, values as parameters

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from typing import Literal, TypeAlias

from connector.errors import Problem
from connector.projection.catalog import Column, Table, comparable, same_text
from connector.projection.influence import Influence
from connector.projection.key import KeyUse
from connector.projection.keys import quoted
from connector.projection.mapping import Mapping
from connector.projection.scopes import Scope, Source


@dataclass(frozen=True, slots=True)
class Lookup:
    """A reverse query. `sql` has one array parameter a column (`$1`, `$2`, ...) and gives `key_types` columns
    `k1`, `k2`, ...; `first` and `first_columns` are what it is restricted by."""

    sql: str
    value_types: tuple[str, ...]
    key_types: tuple[str, ...]
    first: Table
    first_columns: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Index:
    """For a way whose columns a deleted or moved row doesn't carry: what the reverse index must hold.

    `columns` is the table's replica identity. `sql` gives, for order keys as one array parameter a column, the rows
    (`r1`, `r2`, ...) that have this way to them, and the key (`k1`, `k2`, ...).
    """

    columns: tuple[Column, ...]
    sql: str


@dataclass(frozen=True, slots=True)
class Way:
    """`columns` of the use are what the stream must carry: the order key's, or those that `lookup` starts from."""

    use: Source
    table: Table
    kind: Literal["key", "column", "reverse"]
    columns: tuple[Column, ...]
    lookup: Lookup | None = None
    index: Index | None = None

    @property
    def index_name(self) -> str | None:
        """The reverse index that resolves what the stream doesn't carry; None: it carries all, or nothing can help."""
        return None if self.index is None else f"@{self.name}"

    @property
    def name(self) -> str:
        """The same for the same way, whatever else the mapping says."""
        text = self.lookup.sql if self.lookup else ""
        digest = hashlib.sha256("\0".join([text, *(column.name for column in self.columns)]).encode()).hexdigest()
        return f"{self.table.name}:{digest[:12]}"


@dataclass(frozen=True, slots=True)
class _Step:
    """`pairs`: columns of a use and the columns of `to` that equal them."""

    to: Source
    pairs: tuple[tuple[Column, Column], ...]


def find_ways(mapping: Mapping, top: Scope, key: KeyUse) -> tuple[list[Way], list[Problem]]:
    """A way for every use, or a problem for it."""
    uses = list(top.uses())
    influences = {use: Influence(use, key.use) for use in uses}
    direct = {use: found for use in uses if (found := _key_columns(use, key, influences[use])) is not None}
    steps = _steps(uses, influences, set(direct))
    ways, problems = [], []
    for use in uses:
        table = _table(use)
        if use in direct:
            index = _index(use, direct[use], steps, direct)
            ways.append(Way(use, table, "key" if use is key.use else "column", direct[use], None, index))
        elif use in steps:
            columns = tuple(column for column, _ in steps[use].pairs)
            index = _index(use, columns, steps, direct)
            ways.append(Way(use, table, "reverse", columns, _lookup(use, steps, direct), index))
        else:
            problems.append(_no_way(mapping, use, key))
    return ways, problems


def _table(use: Source) -> Table:
    assert use.table is not None  # noqa: S101  # a use is a base table's
    return use.table


def _key_columns(use: Source, key: KeyUse, influence: Influence) -> tuple[Column, ...] | None:
    """The use's own columns that equal the order key's, with the same text; None unless all are there."""
    found = []
    for wanted, node in zip(key.columns, key.nodes(), strict=True):
        mine = [
            column
            for column in _table(use).columns.values()
            if column.streamed and influence.equal((use, column.name), node) and same_text(column, wanted)
        ]
        if not mine:
            return None
        exact = [column for column in mine if use is key.use and column.name == wanted.name]
        carried = [column for column in mine if column.name in _table(use).identity]
        found.append((exact or carried or mine)[0])
    return tuple(found)


def _steps(uses: list[Source], influences: dict[Source, Influence], done: set[Source]) -> dict[Source, _Step]:
    """For each use without the key its next use, breadth first. Joins by a primary key go before others: one by a
    tenant's number alone would lead to all orders of the tenant."""
    steps: dict[Source, _Step] = {}
    reached = [use for use in uses if use in done]
    by_key = True
    while True:
        layer = {}
        for use in uses:
            if use not in done and use not in steps:
                step = _best_step(use, reached, influences[use], by_key)
                if step is not None:
                    layer[use] = step
        if not layer and not by_key:
            return steps
        by_key = bool(layer)
        steps |= layer
        reached = [*reached, *layer]


def _best_step(use: Source, reached: list[Source], influence: Influence, by_key: bool) -> _Step | None:
    """The step that names the most columns; among equals one whose columns begin an index, then the nearest."""
    found = [_Step(to, pairs) for to in reached if to in influence.present and (pairs := _pairs(use, to, influence))]
    if by_key:
        found = [step for step in found if _by_primary_key(use, step)]
    return max(found, key=lambda step: (len(step.pairs), _indexed(step)), default=None)


def _by_primary_key(use: Source, step: _Step) -> bool:
    mine, theirs = {column.name for column, _ in step.pairs}, {column.name for _, column in step.pairs}
    one, other = set(_table(use).primary_key), set(_table(step.to).primary_key)
    return bool((one and one <= mine) or (other and other <= theirs))


def _indexed(step: _Step) -> bool:
    return _table(step.to).serves([theirs.name for _, theirs in step.pairs])


def _pairs(use: Source, to: Source, influence: Influence) -> tuple[tuple[Column, Column], ...]:
    pairs = []
    for theirs in _table(to).columns.values():
        for mine in _table(use).columns.values():
            if mine.streamed and comparable(mine, theirs) and influence.equal((use, mine.name), (to, theirs.name)):
                pairs.append((mine, theirs))
                break
    return tuple(pairs)


_Steps: TypeAlias = dict[Source, _Step]
_Direct: TypeAlias = dict[Source, tuple[Column, ...]]


def _chain(use: Source, number: int, steps: _Steps, direct: _Direct) -> tuple[str, list[str], tuple[Column, ...]]:
    """FROM a use, called `t<number>`, to one that holds the key: the clause, the key's expressions, its columns."""
    at, tables = use, [f"{_quoted(use)} t{number}"]
    while at not in direct:
        step = steps[at]
        matches = " AND ".join(
            f"t{number + 1}.{quoted(theirs.name)} = t{number}.{quoted(mine.name)}" for mine, theirs in step.pairs
        )
        at, number = step.to, number + 1
        tables.append(f"JOIN {_quoted(at)} t{number} ON {matches}")
    return " ".join(tables), [f"t{number}.{quoted(column.name)}" for column in direct[at]], direct[at]


def _index(use: Source, wanted: tuple[Column, ...], steps: _Steps, direct: _Direct) -> Index | None:
    """None when the stream carries the wanted columns of deleted rows too, or when a row can't be told by its identity
    in text form."""
    table = _table(use)
    identity = tuple(column for column in table.columns.values() if column.name in table.identity)
    carried = {column.name for column in wanted} <= table.identity
    if carried or not identity or not all(column.faithful() and column.streamed for column in identity):
        return None
    tables, keys, columns = _chain(use, 0, steps, direct)
    rows = ", ".join(f"t0.{quoted(column.name)} AS r{number}" for number, column in enumerate(identity, 1))
    outputs = ", ".join(f"{key} AS k{number}" for number, key in enumerate(keys, 1))
    those = asked(keys, [column.type_name for column in columns])
    return Index(identity, f"SELECT DISTINCT {rows}, {outputs} FROM {tables} WHERE {those}")


def _lookup(use: Source, steps: _Steps, direct: _Direct) -> Lookup:
    first = steps[use]
    tables, keys, columns = _chain(first.to, 1, steps, direct)
    outputs = ", ".join(f"{key} AS k{index}" for index, key in enumerate(keys, 1))
    there = " AND ".join(f"{key} IS NOT NULL" for key in keys)
    start = asked(
        [f"t1.{quoted(theirs.name)}" for _, theirs in first.pairs], [mine.type_name for mine, _ in first.pairs]
    )
    return Lookup(
        f"SELECT DISTINCT {outputs} FROM {tables} WHERE {start} AND {there}",
        tuple(mine.type_name for mine, _ in first.pairs),
        tuple(column.type_name for column in columns),
        _table(first.to),
        tuple(theirs.name for _, theirs in first.pairs),
    )


def asked(columns: list[str], types: list[str]) -> str:
    """The condition that a row is among those given as one array parameter a column (`$1`, `$2`, ...)."""
    arrays = [f"${number}::{name}[]" for number, name in enumerate(types, 1)]
    if len(columns) == 1:
        return f"{columns[0]} = ANY ({arrays[0]})"
    return f"({', '.join(columns)}) IN (SELECT * FROM unnest({', '.join(arrays)}))"


def _quoted(use: Source) -> str:
    name = _table(use).name
    return quoted(name.schema, name.name)


def _no_way(mapping: Mapping, use: Source, key: KeyUse) -> Problem:
    name = _table(use).name
    shown = f"{name} (alias {use.alias})" if use.alias != name.name else str(name)
    what = f"no way leads from a changed row of {shown} to the orders it changes"
    scope: Scope | None = use.scope
    while scope is not None:
        if scope.limited and scope.parent is not None and use.scope is scope:
            what += ": rows of all orders compete under LIMIT, OFFSET or FETCH"
            break
        if scope.partitions and use.scope is scope:
            what += ": a window function sees rows of all orders"
            break
        scope = scope.parent
    else:
        what += ": no equality of plain columns joins it to the order"
    columns = ", ".join(key.names)
    hint = f"join it with = on plain columns to the order ({key.table.name}: {columns}) or to a table joined so"
    return mapping.problem(what, use.at, hint)
