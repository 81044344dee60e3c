"""Steps along a recursive CTE by a column that each round changes: parents of parents, parts of parts. No I/O.

A row of round k met, in the work table, a row of the round before. So a value of it was given by a row of the recursive
branch there, and so on down to a row of the first branch. A walk goes over these values, in one of two directions: back
to the first branch, or on to whatever the last round is joined with. The nearest changed row finds the order here, too.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from itertools import product

from connector.projection.analysis.coupling import coupling
from connector.projection.analysis.scopes import Node, Scope, Source
from connector.projection.catalog.column_filters import ColumnFilter
from connector.projection.catalog.columns import Column, comparable
from connector.projection.routes.chains import Step, Walk, table_of
from connector.projection.routes.equivalence import Equivalences, RowEquivalences
from connector.projection.routes.filters import filters_of

_WALKED = frozenset({"int2", "int4", "int8", "uuid"})
"""Types of which the rounds of a query of ours surely have the same, whatever the collation."""


class Walks:
    """The steps by way of recursive CTEs, which are looked into once."""

    def __init__(self) -> None:
        self._known: dict[Scope, _Recursion] = {}

    def steps(self, use: Source, reached: Iterable[Source], equivalences: Equivalences) -> Iterator[Step]:
        """Those of a use, on first, then back. `equivalences`: those of `use`."""
        for scope in _around(use):
            for to, link in product(reached, self._recursion(scope).links):
                if not to.scope.within(scope) and to in equivalences.present:
                    yield from self._recursion(scope).on(use, to, link, equivalences)
        for to in reached:
            for scope in _around(to):
                recursion = self._recursion(scope)
                if to.scope.within(recursion.first) and not use.scope.within(recursion.first):
                    for link in recursion.links:
                        yield from recursion.back(use, to, link, equivalences)

    def _recursion(self, scope: Scope) -> _Recursion:
        if scope not in self._known:
            self._known[scope] = _Recursion(scope)
        return self._known[scope]


def _around(use: Source) -> Iterator[Scope]:
    """The recursive CTEs that the use is in."""
    scope: Scope | None = use.scope
    while scope is not None:
        if scope.recursive and not scope.limited:
            yield scope
        scope = scope.parent


@dataclass(frozen=True, slots=True)
class _Link:
    """Of each round's row of `use`, for some columns of the recursive CTE (by their number): the column that met the
    round before, and the column that the round gives. `filters`: conditions that the row meets."""

    use: Source
    met: dict[int, Column]
    given: dict[int, Column]
    filters: tuple[ColumnFilter, ...]

    def walk(self, numbers: Iterable[int], *, back: bool) -> Walk:
        left, right = (self.given, self.met) if back else (self.met, self.given)
        return Walk(table_of(self.use), tuple((left[n], right[n]) for n in numbers), self.filters)


class _Recursion:
    """A recursive CTE."""

    def __init__(self, scope: Scope) -> None:
        first, again = scope.sources
        assert first.inner is not None  # noqa: S101  # a branch is a query
        assert again.inner is not None  # noqa: S101
        self.scope = scope
        self.first, self.branch = first.inner, again.inner
        self._work = next((source for source in again.inner.sources if source.work_table is scope), None)
        self.links = list(self._links())

    def _links(self) -> Iterator[_Link]:
        work = self._work
        if work is None:
            return
        nodes = {n: o.column for n, o in enumerate(self.branch.outputs) if o.column is not None}
        nodes = {n: node for n, node in nodes.items() if coupling(self.branch, (work, n)) is None}
        if not any(n in nodes and nodes[n] != (work, n) for n in nodes):
            return
        for use in self.branch.uses():
            for moving in (n for n, node in nodes.items() if node != (work, n)):
                kept = [n for n, node in nodes.items() if node == (work, n)]
                rows = RowEquivalences(self.branch, [nodes[moving]])
                if use not in rows.present:
                    continue
                met = {n: found for n in (moving, *kept) if (found := _column(use, rows, (work, n))) is not None}
                given = {n: found for n in met if (found := _column(use, rows, nodes[n])) is not None}
                if moving in given and comparable(met[moving], given[moving]):
                    yield _Link(use, {n: met[n] for n in given}, given, filters_of(rows).get(use, ()))

    def back(self, use: Source, to: Source, link: _Link, equivalences: Equivalences) -> Iterator[Step]:
        """From a row of the recursive branch, or one joined with the last round, to the row of the first branch that it
        was reached from."""
        outputs = {n: o.column for n, o in enumerate(self.first.outputs) if n in link.met and o.column is not None}
        before = self._work if use.scope.within(self.scope) else self.scope.holder
        if before is None or before not in equivalences.present:
            return
        mine = {n: found for n in outputs if (found := _column(use, equivalences, (before, n))) is not None}
        moving = [n for n in mine if link.met[n] != link.given[n]]
        if not moving or self.first.alternatives:
            return
        rows = RowEquivalences(self.first, [outputs[n] for n in moving])
        theirs = {n: found for n in mine if (found := _column(to, rows, outputs[n])) is not None}
        if to in rows.present and all(n in theirs for n in moving):
            yield from _step(to, mine, theirs, link.walk(theirs, back=True))

    def on(self, use: Source, to: Source, link: _Link, equivalences: Equivalences) -> Iterator[Step]:
        """From a row of either branch to what the rows that are reached from it are joined with."""
        holder = self.scope.holder
        at = self.scope.sources[1 if use.scope.within(self.branch) else 0]
        if holder is None:
            return
        mine = {n: found for n in link.met if (found := _column(use, equivalences, (at, n))) is not None}
        theirs = {n: found for n in mine if (found := _column(to, equivalences, (holder, n))) is not None}
        if any(link.met[n] != link.given[n] for n in theirs):
            yield from _step(to, mine, theirs, link.walk(theirs, back=False))


def _step(to: Source, mine: dict[int, Column], theirs: dict[int, Column], walk: Walk) -> Iterator[Step]:
    pairs = tuple((mine[n], theirs[n]) for n in theirs)
    if all(comparable(*pair) for pair in (*pairs, *walk.pairs)):
        yield Step(to, pairs, walk)


def _column(use: Source, equivalences: Equivalences, node: Node) -> Column | None:
    """The use's column that equals the node."""
    for name, column in table_of(use).columns.items():
        fit = column.type in _WALKED and column.type_schema == "pg_catalog" and column.streamed
        if fit and equivalences.equal((use, name), node):
            return column
    return None
