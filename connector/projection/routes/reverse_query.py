"""The SQL of a route: from the columns of a changed row, along the joins of the mapping, to the keys of its orders.

Knows tables and columns; must not know how the chain of joins was found. No I/O.
"""
# ruff: noqa: S608  names come quoted from the catalog, values as parameters

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence

from connector.postgres.quoting import quoted
from connector.projection.analysis.scopes import Source
from connector.projection.catalog.column_filters import ColumnFilter
from connector.projection.catalog.columns import Column
from connector.projection.catalog.elements import listed
from connector.projection.catalog.tables import Table
from connector.projection.routes.chains import Chains, Step, Walk, names_of, quoted_name, table_of
from connector.projection.routes.route import Hop, Index, Lookup, Reads, unmarked
from connector.projection.sql.keys import among, given


def index_of(use: Source, table: Table, wanted: tuple[Column, ...], chains: Chains) -> Index | None:
    """None when the stream carries the wanted columns of deleted rows too, or when a row can't be told by its identity
    in text form."""
    carried = {column.name for column in wanted} <= table.identity
    if carried or not table.tells_rows:
        return None
    identity = tuple(column for column in table.columns.values() if column.name in table.identity)
    steps, columns = chains.of(use)
    tables, keys = _joined(table, steps, columns, 0)
    if any(step.walk for step in steps):
        tables = _joined_backwards(table, steps)
    filters = [chains.on(use, use), *(chains.on(use, step.to) for step in steps)]
    rows = ", ".join(f"t0.{quoted(column.name)} AS r{number}" for number, column in enumerate(identity, 1))
    those = " AND ".join([among(keys, [column.asked_as for column in columns]), *_conditions(filters, 0)])
    reads = _reads(table, identity, steps, columns, filters)
    return Index(identity, f"SELECT DISTINCT {rows}, {_outputs(keys)} FROM {tables} WHERE {those}", reads)


def lookup_of(use: Source, chains: Chains) -> Lookup:
    steps, columns = chains.of(use)
    first, table = steps[0], table_of(steps[0].to)
    tables, keys = _joined(table, steps[1:], columns, 1)
    filters = [chains.on(use, step.to) for step in steps]
    if first.ranged:
        tables += f" CROSS JOIN {given(_names_given(first))}"
    those = " AND ".join([_started(first), *_conditions(filters, 1), *(f"{key} IS NOT NULL" for key in keys)])
    return Lookup(
        f"SELECT DISTINCT {_outputs(keys)} FROM {tables} WHERE {those}",
        tuple("pg_catalog.text" if null else mine.asked_as for mine, null in first.values),
        tuple(column.asked_as for column in columns),
        tuple(hop for step, those in zip(steps, filters, strict=True) for hop in _hops(step, those)),
        (*_walked(steps[:1]), *_reads(table, first.theirs, steps[1:], columns, filters)),
        tuple(null for _, null in first.values),
        any(column.parts for step in steps for pair in step.pairs for column in pair),
        first.ranged,
    )


def _conditions(filters: Sequence[Iterable[ColumnFilter]], number: int) -> Iterator[str]:
    """Those on the tables in their order, the first of which is called `t<number>`."""
    for place, those in enumerate(filters, number):
        for each in those:
            yield each.written(f"t{place}")


def _started(step: Step) -> str:
    """The condition that a row of `t1` belongs to one of the changed rows, given as one array parameter a column."""
    plain = not step.ranged and not any(mine.parts or theirs.many for mine, theirs in step.pairs)
    if step.walk is None and plain and len(step.stored) == len(step.pairs):
        return among([theirs.written("t1") for _, theirs in step.pairs], [mine.asked_as for mine, _ in step.pairs])
    names = _names_given(step)
    values = {
        column: unmarked(f"given.{name}", column.asked_as) if null else f"given.{name}::{column.asked_as}"
        for (column, null), name in zip(step.values, names, strict=True)
    }
    if step.ranged:
        # Joined with `given`: for a semi-join with inequalities the planner searches no index.
        made = [other.meets("t1", "=", _made(mine, values)) for mine, other in step.pairs]
        return " AND ".join([*made, *(bound.written(_made(bound.mine, values), "t1") for bound in step.bounds)])
    rows = given(names)
    made, ours, theirs = [], [], []
    for number, (mine, other) in enumerate(step.pairs, 1):
        value = _made(mine, values)
        if other.many:
            # A pair of its own, which leads to no fewer: only so an index on the array serves.
            among_given = f"ARRAY(SELECT {listed(value, other)} FROM {given(names)})"
            made.append(f"{other.written('t1')} OPERATOR(pg_catalog.&&) {among_given}")
            continue
        if mine.many:
            rows += f" CROSS JOIN LATERAL pg_catalog.unnest({value}) AS m{number}(value)"
            value = f"m{number}.value"
        ours.append(value)
        theirs.append(other.written("t1"))
    if ours:
        start = f"SELECT {', '.join(ours)} FROM {rows}"
        made.append(f"({', '.join(theirs)}) IN ({step.walk.written(start) if step.walk else start})")
    return " AND ".join(made)


def _made(mine: Column, values: Mapping[Column, str]) -> str:
    return mine.of_values([values[column] for column in mine.stored])


def _names_given(step: Step) -> list[str]:
    return [f"c{number}" for number in range(1, len(step.stored) + 1)]


def _joined(table: Table, steps: Sequence[Step], columns: Sequence[Column], number: int) -> tuple[str, list[str]]:
    """FROM a table, called `t<number>`, to the one that holds the key; and the key's expressions there."""
    tables = [f"{quoted_name(table)} t{number}"]
    for step in steps:
        tables += _next(step.pairs, step.walk, number, table_of(step.to), number + 1)
        tables += _within(step, number)
        number += 1
    return " ".join(tables), [f"t{number}.{quoted(column.name)}" for column in columns]


def _within(step: Step, number: int) -> list[str]:
    """The bounds of a step from `t<number>`, to stand behind the ON of its join."""
    here, there = f"t{number}", f"t{number + 1}"
    return [f"AND {bound.written(bound.mine.written(here), there)}" for bound in step.bounds]


def _joined_backwards(table: Table, steps: Sequence[Step]) -> str:
    """The same FROM, from the table that holds the key: then a walk needn't begin at every row of a table."""
    tables = [f"{quoted_name(table_of(steps[-1].to))} t{len(steps)}"]
    for number in range(len(steps) - 1, -1, -1):
        step, to = steps[number], table_of(steps[number - 1].to) if number else table
        pairs = [(theirs, mine) for mine, theirs in step.pairs]
        tables += _next(pairs, step.walk.reversed if step.walk else None, number + 1, to, number)
        tables += _within(step, number)
    return " ".join(tables)


def _next(
    pairs: Sequence[tuple[Column, Column]], walk: Walk | None, before: int, to: Table, number: int
) -> Iterator[str]:
    """Join the next table, `t<number>`. `pairs`: columns of the table before, and those of this one."""
    here = [one.written(f"t{before}") for one, _ in pairs]
    if walk is not None:
        start = ", ".join(f"{text}::{one.asked_as}" for text, (one, _) in zip(here, pairs, strict=True))
        here = [f"w{number}.x{place}" for place in range(1, len(here) + 1)]
        yield f"CROSS JOIN LATERAL ({walk.written(f'SELECT {start}')}) w{number}"
    matches = " AND ".join(
        equal
        for text, (one, other) in zip(here, pairs, strict=True)
        for equal in _equal(other, other.written(f"t{number}"), one, text)
    )
    # An equality with a day serves from one side, and this from the other.
    days = [other.meets(f"t{number}", "=", text) for text, (_, other) in zip(here, pairs, strict=True) if other.is_day]
    if walk is None:
        days += [one.meets(f"t{before}", "=", other.written(f"t{number}")) for one, other in pairs if one.is_day]
    yield f"JOIN {quoted_name(to)} t{number} ON {' AND '.join([matches, *days])}"


def _equal(one: Column, first: str, other: Column, second: str) -> Iterator[str]:
    """That two columns are equal; with an array in both forms that an index may serve, from here or from there."""
    if one.many:
        one, first, other, second = other, second, one, first
    if not other.many:
        yield f"{first} = {second}"
        return
    yield f"{first} = ANY ({second})"
    if other.indexable:
        yield f"{second} OPERATOR(pg_catalog.@>) ARRAY[{listed(first, other)}]"


def _outputs(keys: Sequence[str]) -> str:
    return ", ".join(f"{key} AS k{number}" for number, key in enumerate(keys, 1))


def _reads(
    table: Table,
    entered: Iterable[Column],
    steps: Sequence[Step],
    columns: Sequence[Column],
    filters: Sequence[Iterable[ColumnFilter]],
) -> Reads:
    """The columns of each table on the way: those it is entered by, those of conditions, and those that lead on."""
    found, by = [], names_of(entered)
    asked = [names_of(each.column for each in those) for those in filters]
    for step, more in zip(steps, asked, strict=False):
        found.append((table, by | more | names_of(step.stored)))
        table, by = table_of(step.to), names_of(step.theirs)
    return (*found, (table, by | asked[-1] | names_of(columns)), *_walked(steps))


def _walked(steps: Iterable[Step]) -> Reads:
    return tuple(step.walk.reads for step in steps if step.walk is not None)


def _hops(step: Step, filters: tuple[ColumnFilter, ...]) -> Iterator[Hop]:
    yield Hop(table_of(step.to), tuple(theirs for _, theirs in step.pairs), filters)
    if step.walk is not None:
        yield Hop(step.walk.table, tuple(left for left, _ in step.walk.pairs), step.walk.filters)
