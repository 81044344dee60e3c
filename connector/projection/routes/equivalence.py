"""Which columns are surely equal, and which constant conditions hold, when a row of one use takes part in an order.

The question behind every route and restriction: a row `u` of a use U changes; which orders can that change? Only those
with which some joined row holds both `u` and the order. On such a row every equality holds whose place in the query
must have been passed: an inner join's and WHERE's always, an outer join's ON only when its nullable side is matched.
And `u` reaches the scopes around its own only through columns that the scope between keeps apart (`why_coupled`).

A row that makes others disappear (outer joins, NOT EXISTS) passes the same conditions before it does so: it suppresses
just the rows that it would have joined. So the same equalities bound its influence.

What rejects rows filled with NULLs (an equality, `kind = 'x'`) holds for such a row, too, when it is asked after the
join: the row that it suppresses would have been rejected. `deleted_at IS NULL` asked after an outer join says nothing
about the row that is joined: one that is deleted suppresses a row filled with NULLs, which would have passed. No I/O.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Iterable, Iterator, Mapping

from connector.projection.analysis.scopes import (
    Computed,
    Condition,
    Filter,
    Node,
    Region,
    Scope,
    Source,
    below,
    column_of,
)
from connector.projection.catalog.column_filters import ColumnFilter
from connector.projection.catalog.columns import Column


def exclusive(one: Scope, other: Scope) -> bool:
    """True when the two are in different branches of a set operation (no recursive one): no row comes from both."""
    branches = {holder.scope: holder for holder in _around(one)}
    return any(branches.get(holder.scope, holder) is not holder for holder in _around(other))


def _around(scope: Scope | None) -> Iterator[Source]:
    """The branches of set operations around a scope."""
    while scope is not None:
        holder = scope.holder
        if holder is not None and holder.scope.alternatives and not holder.scope.recursive:
            yield holder
        scope = scope.parent


class Equivalences:
    """The equalities and constant conditions that hold on every joined row with a row of `use` and one of `key_use`."""

    def __init__(self, use: Source, key_use: Source, chosen: Collection[Source] = ()) -> None:
        """`chosen`: branches of set operations that the row is taken to come from."""
        self.use = use
        self._chosen = chosen
        self.present: set[Source] = set()
        self._scopes: set[Scope] = set()
        self._regions: set[Region] = set()
        self._same: dict[Node, Node] = {}
        self._there(use)
        self._there(key_use)
        while self._more():
            pass
        self._merge()

    def equal(self, one: Node, other: Node) -> bool:
        return self._root(one) == self._root(other)

    # who takes part

    def _there(self, source: Source) -> None:
        """A row of the source takes part, and isn't filled with NULLs."""
        if source in self.present:
            return
        self.present.add(source)
        self._row(source.scope)
        region = source.region
        while region is not None and region not in self._regions:
            self._matched(region, source.scope)
            region = region.parent
        if source.inner is not None and not source.inner.may_be_empty():
            self._row(source.inner)
        if source.element is not None:
            self._not_null(source.element.array)

    def _row(self, scope: Scope) -> None:
        """A joined row of the scope exists (before it is grouped)."""
        if scope in self._scopes:
            return
        self._scopes.add(scope)
        self._read(scope)
        for source in scope.sources:
            if source.region is None and not scope.alternatives:
                self._there(source)

    def _read(self, scope: Scope) -> None:
        """The scope around reads what the scope gives."""
        around = scope.parent
        if around is not None and scope.late and around.may_be_empty():
            # An aggregate without GROUP BY computes its outputs also where it has read no row.
            self._read(around)
            return
        if scope.holder is not None:
            self._there(scope.holder)
        if around is not None:
            self._row(around)

    def _matched(self, region: Region, scope: Scope) -> None:
        self._regions.add(region)
        for source in scope.sources:
            if source.region is region:
                self._there(source)

    def _more(self) -> bool:
        """One round of conclusions. True when it found something new."""
        before = len(self.present), len(self._scopes), len(self._regions)
        for branch in self._chosen:
            if branch.scope in self._scopes:
                self._there(branch)
        for condition in list(self._conditions()):
            self._not_null(condition.left)
            self._not_null(condition.right)
        for scope in list(self._scopes):
            for stated in scope.filters:
                if stated.strict and self._holds(stated.guard):
                    self._not_null(stated.node)
            for implied in scope.implied:
                if self._holds(implied.guard) and not implied.scope.may_be_empty():
                    self._row(implied.scope)
        return before != (len(self.present), len(self._scopes), len(self._regions))

    def _conditions(self) -> Iterator[Condition]:
        return (each for scope in self._scopes for each in scope.conditions if self._holds(each.guard))

    def _holds(self, guard: Iterable[Region]) -> bool:
        return all(region in self._regions for region in guard)

    def _not_null(self, node: Node) -> None:
        """The column isn't NULL, so a row of its source takes part, down to the base table."""
        source, key = node
        if isinstance(key, Computed):
            for part in key.keys if key.strict else ():
                self._not_null((source, part))
            return
        self._there(source)
        if source.inner is not None and source.inner in self._scopes:
            inside = source.inner.outputs[int(key)].values
            # Where rows of the scope compete, the one in question need not be the one that came out.
            if len(inside) == 1 and self._lets_out(source.inner, inside[0]):
                self._not_null(inside[0])

    # what is equal

    def _merge(self) -> None:
        for condition in self._conditions():
            self._join(condition.left, condition.right)
        for source in self.present:
            if source.inner is not None and source.inner in self._scopes:
                self._pass_through(source, source.inner)

    def _pass_through(self, source: Source, inner: Scope) -> None:
        """Join the outputs of a derived table with the columns they are, as far as the scope lets `use` through."""
        for number, output in enumerate(inner.outputs):
            for node in output.values:
                if self._passes(inner, node):
                    self._join((source, number), node)
        for key in source.computed:
            for node in below(source, key):
                if self._passes(inner, node):
                    self._join((source, key), node)

    def _passes(self, inner: Scope, node: Node) -> bool:
        # Of a set operation's branches only that is read which the rows in question come from.
        if inner.alternatives and node[0] not in self.present:
            return False
        return self._lets_out(inner, node)

    def _lets_out(self, scope: Scope, node: Node) -> bool:
        """`use` is elsewhere, or reaches those around the scope only through rows with its own value of the column."""
        source, key = node
        # Rows that share an expression's columns share it, so those that differ in it are kept apart, too.
        parts = key.keys if isinstance(key, Computed) else (key,)
        return not self.use.scope.within(scope) or not any(scope.why_coupled((source, part)) for part in parts)

    def _root(self, node: Node) -> Node:
        while node in self._same:
            node = self._same[node]
        return node

    def _join(self, one: Node, other: Node) -> None:
        one, other = self._root(one), self._root(other)
        if one != other:
            self._same[one] = other

    # which constant conditions hold

    def filters(self) -> Mapping[Source, tuple[ColumnFilter, ...]]:
        """Of tables' own columns, by the use that reads the table; in the order of the columns."""
        found: dict[Source, set[ColumnFilter]] = defaultdict(set)
        equal = self._classes()
        compared = {node for one in self._conditions() for node in (one.left, one.right)}
        for scope in self._scopes:
            for stated in scope.filters:
                # A column that must equal another isn't NULL, and a partial index is proved by that.
                if self._holds(stated.guard) and not (stated.kind == "not null" and stated.node in compared):
                    for source, made in self._filtered(stated, equal):
                        found[source].add(made)
        return {source: _sorted(source, made) for source, made in found.items()}

    def _classes(self) -> dict[Node, list[Node]]:
        """By its root, all nodes of a class that has more than one."""
        classes: dict[Node, list[Node]] = defaultdict(list)
        for node in {*self._same, *self._same.values()}:
            classes[self._root(node)].append(node)
        return classes

    def _filtered(self, stated: Filter, equal: Mapping[Node, list[Node]]) -> Iterator[tuple[Source, ColumnFilter]]:
        column = column_of(stated.node)
        if not stated.strict:
            nodes = list(self._null_below(stated.node)) if stated.never_filled else []
        else:
            nodes = equal.get(self._root(stated.node), [stated.node])
        for source, key in nodes:
            if source not in self.present or source.table is None or isinstance(key, Computed):
                continue
            own = source.table.columns[str(key)]
            if stated.kind != "among" or (column is not None and _compares_alike(own, column)):
                yield source, ColumnFilter(own, stated.kind, stated.texts)

    def _null_below(self, node: Node) -> Iterator[Node]:
        """The base columns that are NULL where a column is, on a row that is there; in scopes where none is filled."""
        source, key = node
        if source.table is not None:
            yield node
        elif source.inner is not None and source.inner in self._scopes and not isinstance(key, Computed):
            for inside in source.inner.outputs[int(key)].nodes:
                if inside[0].region is None and self._passes(source.inner, inside):
                    yield from self._null_below(inside)


def _compares_alike(one: Column, other: Column) -> bool:
    """Another type may compare with a constant otherwise, and so may another collation."""
    return (one.type_name, one.deterministic) == (other.type_name, other.deterministic)


def _sorted(source: Source, filters: Collection[ColumnFilter]) -> tuple[ColumnFilter, ...]:
    """Without those that say nothing beside the others, or beside the table's definition."""
    among = {each.column.name for each in filters if each.kind == "among"}
    filled = {each.column.name for each in filters if each.column.not_null} | among
    places = {name: number for number, name in enumerate(source.table.columns if source.table is not None else ())}
    told = [each for each in filters if each.kind != "not null" or each.column.name not in filled]
    return tuple(sorted(told, key=lambda each: (places[each.column.name], each.kind, each.texts)))
