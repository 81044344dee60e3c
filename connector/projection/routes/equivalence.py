"""Which columns are surely equal, and which constant conditions hold, when a row of one use takes part in an order.

The question behind every route and restriction: a row `u` of a use U changes; which orders can that change? Only those
with which some joined row holds both `u` and the order. On such a row every equality holds whose place in the query
must have been passed: an inner join's and WHERE's always, an outer join's ON only when its nullable side is matched.
And `u` reaches the scopes around its own only through columns that the scope between keeps apart (`coupling`).

A row that makes others disappear (outer joins, NOT EXISTS) passes the same conditions before it does so: it suppresses
just the rows that it would have joined. So the same equalities bound its influence.

What rejects rows filled with NULLs (an equality, `kind = 'x'`) holds for such a row, too, when it is asked after the
join: the row that it suppresses would have been rejected. `deleted_at IS NULL` asked after an outer join says nothing
about the row that is joined: one that is deleted suppresses a row filled with NULLs, which would have passed. Nor does
`coalesce(x, 1) = y`, which one filled with NULLs may meet as well. No I/O.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Iterable, Iterator, Mapping

from connector.projection.analysis.coupling import coupling
from connector.projection.analysis.nodes import below, column_of
from connector.projection.analysis.scopes import (
    Alternative,
    Choice,
    Computed,
    Condition,
    Fact,
    Filter,
    Implied,
    Key,
    Node,
    Region,
    Scope,
    Source,
    is_matched,
)


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

    def __init__(self, use: Source, key_use: Source, chosen: Collection[Alternative] = ()) -> None:
        """`chosen`: of some choices the alternative that is taken to hold."""
        self.use = use
        self._begin(chosen)
        self._there(use)
        self._there(key_use)
        self._conclude()

    def _begin(self, chosen: Collection[Alternative]) -> None:
        self._chosen = chosen
        self.present: set[Source] = set()
        self._scopes: dict[Scope, None] = {}
        self._regions: set[Region] = set()
        self._same: dict[Node, Node] = {}
        self._aggregated: dict[Node, Node] = {}
        self._picked: set[Scope] = set()

    def _conclude(self) -> None:
        while True:
            while self._more():
                pass
            self._merge()
            if not self._pick():
                return

    def equal(self, one: Node, other: Node) -> bool:
        return self._root(one) == self._root(other)

    def classes(self) -> Mapping[Node, list[Node]]:
        """For each node that equals others, all of them, itself too."""
        members: dict[Node, list[Node]] = defaultdict(list)
        for node in {*self._same, *self._same.values()}:
            members[self._root(node)].append(node)
        return {node: equal for equal in members.values() for node in equal}

    def passed(self, node: Node) -> Iterator[Node]:
        """The columns in the scope inside that a derived table passes on as this one, as far as the scope lets `use`
        through."""
        source, _ = node
        if source.inner is not None and source.inner in self._scopes:
            yield from (inside for inside in below(*node) if self._passes(source.inner, inside))

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
        self._scopes[scope] = None
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
        for fact in list(self.facts()):
            if isinstance(fact, Condition):
                self._not_null(fact.left)
                self._not_null(fact.right)
            elif isinstance(fact, Filter):
                if fact.strict:
                    self._not_null(fact.node)
            elif isinstance(fact, Implied):
                if not fact.scope.may_be_empty():
                    self._row(fact.scope)
            elif isinstance(fact, Choice):
                for alternative in fact.alternatives:
                    if alternative.branch is not None and alternative in self._chosen:
                        self._there(alternative.branch)
        return before != (len(self.present), len(self._scopes), len(self._regions))

    def facts(self) -> Iterator[Fact]:
        """What holds on the joined rows."""
        for scope in self._scopes:
            yield from self._holding([*scope.conditions, *scope.filters, *scope.more_facts])

    def _holding(self, facts: Iterable[Fact]) -> Iterator[Fact]:
        for fact in facts:
            if all(region in self._regions for region in fact.guard):
                yield fact
                for alternative in fact.alternatives if isinstance(fact, Choice) else ():
                    if alternative in self._chosen:
                        yield from self._holding(alternative.facts)

    def choices(self) -> list[Choice]:
        """Those that are still open on the joined rows."""
        return [fact for fact in self.facts() if isinstance(fact, Choice) and not self._decided(fact)]

    def _decided(self, choice: Choice) -> bool:
        branches = [each.branch for each in choice.alternatives if each.branch is not None]
        taken = any(source in self.present for branch in branches for source in branch.scope.sources)
        return taken or any(alternative in self._chosen for alternative in choice.alternatives)

    def _not_null(self, node: Node) -> None:
        """The column isn't NULL, so a row of its source takes part, down to the base table."""
        source, key = node
        if isinstance(key, Computed):
            for part in key.keys if key.strict else ():
                self._not_null((source, part))
            return
        self._there(source)
        picked = source.inner.outputs[int(key)].picked if source.inner is not None else None
        if picked is not None:
            self._aggregated[node] = picked
        if source.inner is not None and source.inner in self._scopes:
            inside = source.inner.outputs[int(key)].values
            # Where rows of the scope compete, the one in question need not be the one that came out.
            if len(inside) == 1 and self._lets_out(source.inner, inside[0]):
                self._not_null(inside[0])

    def _pick(self) -> bool:
        """Of the rows that an aggregate puts together one has the value that it gives, and takes part; as long as `use`
        is none of them. Another aggregate beside it may give another row's. True when one more row takes part."""
        others = {node: row for node, row in self._aggregated.items() if row[0].scope not in self._picked}
        others = {node: row for node, row in others.items() if not self.use.scope.within(row[0].scope)}
        if not others:
            return False
        mine = {self._root(node) for node in {*self._same, *self._same.values()} if node[0] is self.use}
        node = max(others, key=lambda node: self._root(node) in mine)
        self._picked.add(others[node][0].scope)
        self._row(others[node][0].scope)
        self._not_null(others[node])
        self._join(node, others[node])
        return True

    # what is equal

    def _merge(self) -> None:
        for fact in self.facts():
            if isinstance(fact, Condition):
                sides = (fact.left, fact.right)
                if not any(self._filled_too(side, fact.guard) for side in sides):
                    self._join(*sides)
        for source in self.present:
            if source.inner is not None:
                for key in (*range(len(source.inner.outputs)), *source.computed):
                    for inside in self.passed((source, key)):
                        if not self._filled_too(inside):
                            self._join((source, key), inside)

    def _filled_too(self, node: Node, matched: Iterable[Region] = ()) -> bool:
        """Whether the expression has a value on a row filled with NULLs, too, and `use` decides whether there is such a
        row: a row of `use` makes it disappear, whose value is another one."""
        source, key = node
        may_be = isinstance(key, Computed) and not key.strict and not is_matched(source.region, matched)
        return may_be and self._decides(source)

    def _decides(self, source: Source) -> bool:
        """Whether the source isn't filled with NULLs just where a row of `use` takes part."""
        mine: Source | None = self.use
        while mine is not None and mine.scope is not source.scope:
            mine = mine.scope.holder
        return mine is not None and mine.region is not None and is_matched(source.region, (mine.region,))

    def _passes(self, inner: Scope, node: Node) -> bool:
        # Of a set operation's branches only that is read which the rows in question come from.
        if inner.alternatives and node[0] not in self.present:
            return False
        return self._lets_out(inner, node)

    def _lets_out(self, scope: Scope, node: Node) -> bool:
        """`use` is elsewhere, or reaches those around the scope only through rows with its own value of the column."""
        if not self.use.scope.within(scope):
            return True
        source, key = node
        # Rows that share an expression's columns share it, so those that differ in it are kept apart, too.
        parts: list[Node] = [(source, part) for part in (key.keys if isinstance(key, Computed) else (key,))]
        return not any(coupling(scope, part) or self._merges(scope, part, key) for part in parts)

    def _merges(self, scope: Scope, part: Node, key: Key) -> bool:
        """Whether rows are put together of which the expression makes different values."""
        return _varies(part, key) and _merged(scope, part)

    def _root(self, node: Node) -> Node:
        while node in self._same:
            node = self._same[node]
        return node

    def _join(self, one: Node, other: Node) -> None:
        one, other = self._root(one), self._root(other)
        if one != other:
            self._same[one] = other


def _varies(part: Node, key: Key) -> bool:
    """True when an expression over the column, or an element of it, may differ between equal values: 1 and 1.00."""
    column = column_of(part)
    return column is None or column.type == "jsonb" or (isinstance(key, Computed) and not column.faithful())


def _merged(scope: Scope, node: Node) -> bool:
    """True when rows are put together, or depend on each other, that equal each other in the column."""
    found = {*(scope.grouping or ()), *(scope.distinct_on or ())}.union(*(nodes for nodes, _ in scope.partitions))
    if scope.distinct:
        found.update(same for output in scope.outputs for same in output.nodes)
    return node in found


class RowEquivalences(Equivalences):
    """The equalities that hold on every row that a scope gives, without those around it, when some columns of its row
    aren't NULL."""

    def __init__(self, scope: Scope, nodes: Iterable[Node]) -> None:
        self._scope = scope
        self._begin(())
        self._row(scope)
        for node in nodes:
            self._not_null(node)
        self._conclude()

    def _row(self, scope: Scope) -> None:
        if scope is not self._scope:
            super()._row(scope)
        elif scope not in self._scopes:
            self._scopes[scope] = None
            for source in scope.sources:
                if source.region is None:
                    self._there(source)

    def _lets_out(self, scope: Scope, node: Node) -> bool:
        return True

    def _decides(self, source: Source) -> bool:
        return True

    def _pick(self) -> bool:
        """A row of the scope may be any of those that an aggregate puts together."""
        return False
