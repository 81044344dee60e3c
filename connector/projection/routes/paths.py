"""For every use of a table, the way from one of its rows to the orders that the row may change.

A way may lead to more orders than needed, never to fewer. It is found outwards from the key: first the uses that hold
the order key themselves, then those joined to one with a way, and so on. Each way continues exactly as that of the use
it steps to; so when rows along it change too, the changed row nearest to the order still finds it. No I/O.
"""
# ruff: noqa: S608  names come quoted from the catalog, values as parameters

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Literal, TypeAlias

from sqlglot import exp

from connector.model.changes import TableName
from connector.model.errors import Problem
from connector.projection.analysis.scopes import AsText, Key, Scope, Source
from connector.projection.catalog.tables import Column, Table, comparable, same_text
from connector.projection.routes.influence import Influence
from connector.projection.routes.key import KeyUse
from connector.projection.sql.keys import quoted
from connector.projection.sql.mapping import Mapping


@dataclass(frozen=True, slots=True)
class Hop:
    """A table that a reverse query reads, the columns that it is entered by, and how an index names them."""

    table: Table
    columns: tuple[str, ...]
    indexed_as: tuple[str, ...]


Reads: TypeAlias = tuple[tuple[Table, frozenset[str]], ...]
"""Tables that a query of ours reads, each with the columns that it reads there."""


@dataclass(frozen=True, slots=True)
class Lookup:
    """A reverse query. `sql` has one array parameter a column (`$1`, `$2`, ...) and gives `key_types` columns
    `k1`, `k2`, ...; `first` and `first_columns` are what it is restricted by."""

    sql: str
    value_types: tuple[str, ...]
    key_types: tuple[str, ...]
    first: Table
    first_columns: tuple[str, ...]
    hops: tuple[Hop, ...] = ()
    """Each table that the query reads, `first` first."""
    reads: Reads = ()


@dataclass(frozen=True, slots=True)
class Index:
    """For a way whose columns a deleted or moved row doesn't carry: what the reverse index must hold.

    `columns` is the table's replica identity. `sql` gives, for order keys as one array parameter a column, the rows
    (`r1`, `r2`, ...) that have this way to them, and the key (`k1`, `k2`, ...).
    """

    columns: tuple[Column, ...]
    sql: str
    reads: Reads = ()


@dataclass(frozen=True, slots=True)
class Way:
    """`columns` of the use are what the stream must carry: the order key's, or those that `lookup` starts from. A
    `sweep` has none: any change of the table makes all orders be looked at."""

    use: Source
    table: Table
    kind: Literal["key", "column", "reverse", "sweep"]
    columns: tuple[Column, ...]
    lookup: Lookup | None = None
    index: Index | None = None

    @property
    def reads(self) -> Reads:
        """What our own queries for this way read."""
        return (*(self.lookup.reads if self.lookup else ()), *(self.index.reads if self.index else ()))

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


def find_ways(
    mapping: Mapping, uses: list[Source], key: KeyUse, swept: frozenset[TableName] = frozenset()
) -> tuple[list[Way], list[Problem]]:
    """A way for every use, and for every table that inherits from a use's; or a problem for it. Uses of `swept` tables
    that have no other way are swept."""
    ways: list[Way] = []
    problems = []
    for use in uses:
        found = _ways_of(use, uses, key, frozenset(), {})
        if found is not None:
            ways += found
        elif _table(use).name in swept:
            ways += [Way(use, table, "sweep", ()) for table in _tables(use)]
        else:
            problems.append(_no_way(mapping, use, key))
    return ways, problems


_Chosen: TypeAlias = frozenset[Source]
"""Branches of set operations: one of each that a row is taken to come from."""
_CHOICES = 4


def _ways_of(
    use: Source, uses: list[Source], key: KeyUse, chosen: _Chosen, plans: dict[_Chosen, tuple[_Steps, _Direct]]
) -> list[Way] | None:
    """The use's way; when a set operation lies on it, one by each of its branches. None when there is none."""
    if chosen not in plans:
        influences = {other: Influence(other, key.use, chosen) for other in uses}
        direct = {other: at for other in uses if (at := _key_columns(other, key, influences[other])) is not None}
        plans[chosen] = _steps(uses, influences, set(direct)), direct
    steps, direct = plans[chosen]
    if use in direct or use in steps:
        return [_way(use, table, key, steps, direct) for table in _tables(use)]
    if len(chosen) == _CHOICES:
        return None
    for scope in _set_operations(use, uses, key):
        if scope.sources[0] in chosen or scope.sources[-1] in chosen:
            continue
        # A row of A EXCEPT B or A INTERSECT B is one of A.
        branches = scope.sources if isinstance(scope.select, exp.Union) else scope.sources[:1]
        found = [_ways_of(use, uses, key, chosen | {branch}, plans) for branch in branches]
        if all(found):
            return list({way.name: way for ways in found for way in ways or ()}.values())
    return None


def _set_operations(use: Source, uses: list[Source], key: KeyUse) -> Iterator[Scope]:
    """Those that hold neither the use nor the key, the outermost first."""
    scopes: dict[Scope, None] = {}
    for other in uses:
        around: list[Scope] = []
        scope: Scope | None = other.scope
        while scope is not None:
            around.append(scope)
            scope = scope.parent
        scopes |= dict.fromkeys(each for each in reversed(around) if each.alternatives and not each.recursive)
    return (each for each in scopes if not use.scope.within(each) and not key.use.scope.within(each))


def _way(use: Source, table: Table, key: KeyUse, steps: _Steps, direct: _Direct) -> Way:
    if use in direct:
        index = _index(use, table, direct[use], steps, direct)
        return Way(use, table, "key" if use is key.use else "column", direct[use], None, index)
    columns = tuple(column for column, _ in steps[use].pairs)
    return Way(use, table, "reverse", columns, _lookup(use, steps, direct), _index(use, table, columns, steps, direct))


def _tables(use: Source) -> Iterable[Table]:
    """The tables in whose name changes of the use's rows are streamed."""
    table = _table(use)
    return (table,) if use.only else (table, *(child for child in table.children if child.refusal is None))


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
    return _table(step.to).serves([theirs.indexed_as for _, theirs in step.pairs])


def _pairs(use: Source, to: Source, influence: Influence) -> tuple[tuple[Column, Column], ...]:
    pairs = []
    for theirs_at, theirs in _terms(to):
        for mine_at, mine in _terms(use):
            if mine.streamed and comparable(mine, theirs) and influence.equal((use, mine_at), (to, theirs_at)):
                pairs.append((mine, theirs))
                break
    return tuple(pairs)


def _terms(use: Source) -> Iterator[tuple[Key, Column]]:
    """The columns of a use, then those of them that the mapping's conditions cast to text."""
    columns = _table(use).columns
    yield from columns.items()
    for name, column in columns.items():
        text = column.cast_to_text() if name in use.casts else None
        if text is not None:
            yield AsText(name), text


_Steps: TypeAlias = dict[Source, _Step]
_Direct: TypeAlias = dict[Source, tuple[Column, ...]]


def _chain(
    use: Source, table: Table, number: int, steps: _Steps, direct: _Direct
) -> tuple[str, list[str], tuple[Column, ...]]:
    """FROM a use's table, called `t<number>`, to one that holds the key: the clause, the key's expressions, its
    columns."""
    at, tables = use, [f"{_quoted(table)} t{number}"]
    while at not in direct:
        step = steps[at]
        matches = " AND ".join(
            f"{theirs.written(f't{number + 1}')} = {mine.written(f't{number}')}" for mine, theirs in step.pairs
        )
        at, number = step.to, number + 1
        tables.append(f"JOIN {_quoted(_table(at))} t{number} ON {matches}")
    return " ".join(tables), [f"t{number}.{quoted(column.name)}" for column in direct[at]], direct[at]


def _index(use: Source, table: Table, wanted: tuple[Column, ...], steps: _Steps, direct: _Direct) -> Index | None:
    """None when the stream carries the wanted columns of deleted rows too, or when a row can't be told by its identity
    in text form."""
    identity = tuple(column for column in table.columns.values() if column.name in table.identity)
    carried = {column.name for column in wanted} <= table.identity
    if carried or not identity or not all(column.faithful() and column.streamed for column in identity):
        return None
    tables, keys, columns = _chain(use, table, 0, steps, direct)
    rows = ", ".join(f"t0.{quoted(column.name)} AS r{number}" for number, column in enumerate(identity, 1))
    outputs = ", ".join(f"{key} AS k{number}" for number, key in enumerate(keys, 1))
    those = asked(keys, [column.asked_as for column in columns])
    reads = _reads(use, table, (column.name for column in identity), steps, direct)
    return Index(identity, f"SELECT DISTINCT {rows}, {outputs} FROM {tables} WHERE {those}", tuple(reads))


def _lookup(use: Source, steps: _Steps, direct: _Direct) -> Lookup:
    first = steps[use]
    tables, keys, columns = _chain(first.to, _table(first.to), 1, steps, direct)
    outputs = ", ".join(f"{key} AS k{index}" for index, key in enumerate(keys, 1))
    there = " AND ".join(f"{key} IS NOT NULL" for key in keys)
    start = asked([theirs.written("t1") for _, theirs in first.pairs], [mine.asked_as for mine, _ in first.pairs])
    return Lookup(
        f"SELECT DISTINCT {outputs} FROM {tables} WHERE {start} AND {there}",
        tuple(mine.asked_as for mine, _ in first.pairs),
        tuple(column.asked_as for column in columns),
        _table(first.to),
        tuple(theirs.indexed_as for _, theirs in first.pairs),
        tuple(_hops(use, steps, direct)),
        tuple(_reads(first.to, _table(first.to), (theirs.name for _, theirs in first.pairs), steps, direct)),
    )


def _reads(
    use: Source, table: Table, entered: Iterable[str], steps: _Steps, direct: _Direct
) -> Iterator[tuple[Table, frozenset[str]]]:
    """The same chain as `_chain`, by the columns of each table: those it is entered by, and those that lead on."""
    columns, at = set(entered), use
    while at not in direct:
        step = steps[at]
        yield table, frozenset(columns).union(mine.name for mine, _ in step.pairs)
        at, columns = step.to, {theirs.name for _, theirs in step.pairs}
        table = _table(at)
    yield table, frozenset(columns).union(column.name for column in direct[at])


def _hops(use: Source, steps: _Steps, direct: _Direct) -> Iterator[Hop]:
    at = use
    while at not in direct:
        step = steps[at]
        at = step.to
        columns = [theirs for _, theirs in step.pairs]
        yield Hop(_table(at), tuple(theirs.name for theirs in columns), tuple(theirs.indexed_as for theirs in columns))


def asked(columns: list[str], types: list[str]) -> str:
    """The condition that a row is among those given as one array parameter a column (`$1`, `$2`, ...)."""
    if any(map(_may_be_array, types)):
        names = [f"v{number}" for number in range(1, len(types) + 1)]
        texts = ", ".join(f"${number}::text[]" for number in range(1, len(types) + 1))
        values = ", ".join(f"{name}::{kind}" for name, kind in zip(names, types, strict=True))
        unnest = "pg_catalog.unnest" if len(types) == 1 else "unnest"
        given = f"{unnest}({texts}) AS given({', '.join(names)})"
        return f"({', '.join(columns)}) IN (SELECT {values} FROM {given})"
    arrays = [f"${number}::{name}[]" for number, name in enumerate(types, 1)]
    if len(columns) == 1:
        return f"{columns[0]} = ANY ({arrays[0]})"
    # Of several arrays it is pg_catalog's by the grammar, and may have no schema.
    return f"({', '.join(columns)}) IN (SELECT * FROM unnest({', '.join(arrays)}))"


def _may_be_array(type_name: str) -> bool:
    """An array's own type begins with an underscore, and has no array of arrays."""
    return type_name.rpartition(".")[2].lstrip('"').startswith("_")


def _quoted(table: Table) -> str:
    return quoted(table.name.schema, table.name.name)


def _no_way(mapping: Mapping, use: Source, key: KeyUse) -> Problem:
    name = _table(use).name
    shown = f"{name} (alias {use.alias})" if use.alias != name.name else str(name)
    what = f"no way leads from a changed row of {shown} to the orders it changes"
    if use.scope.view is not None:
        what += f" (in view {use.scope.view})"
    columns = ", ".join(key.names)
    hint = f"join it with = on plain columns to the order ({key.table.name}: {columns}) or to a table joined so"
    return mapping.problem(f"{what}: {_why_none(use)}", use.at, f"{hint}, or list it in mapping.sweep_tables")


def _why_none(use: Source) -> str:
    scope: Scope | None = use.scope
    while scope is not None and scope.parent is not None:
        if scope.limited:
            return "rows of all orders compete under LIMIT, OFFSET or FETCH"
        if scope.partitions or scope.twin:
            return "a window function sees rows of all orders"
        scope = scope.parent
    return "no equality of plain columns joins it to the order"
