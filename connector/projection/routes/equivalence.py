"""Which columns are surely equal when a row of one use takes part in an order.

The question behind every route and restriction: a row `u` of a use U changes; which orders can that change? Only those
with which some joined row holds both `u` and the order. On such a row every equality holds whose place in the query
must have been passed: an inner join's and WHERE's always, an outer join's ON only when its nullable side is matched.
And `u` reaches the scopes around its own only through columns that the scope between keeps apart (`why_coupled`).

A row that makes others disappear (outer joins, NOT EXISTS) passes the same conditions before it does so: it suppresses
just the rows that it would have joined. So the same equalities bound its influence. No I/O.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator

from connector.projection.analysis.scopes import Computed, Node, Region, Scope, Source, below


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
    """The equalities that hold on every joined row with a row of `use` and one of `key_use`."""

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

    def _row(self, scope: Scope) -> None:
        """A joined row of the scope exists (before it is grouped)."""
        if scope in self._scopes:
            return
        self._scopes.add(scope)
        if scope.holder is not None:
            self._there(scope.holder)
        if scope.parent is not None:
            self._row(scope.parent)
        for source in scope.sources:
            if source.region is None and not scope.alternatives:
                self._there(source)

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
        for scope in list(self._scopes):
            for condition in scope.conditions:
                if self._holds(condition.guard):
                    self._not_null(condition.left)
                    self._not_null(condition.right)
            for implied in scope.implied:
                if self._holds(implied.guard) and not implied.scope.may_be_empty():
                    self._row(implied.scope)
        return before != (len(self.present), len(self._scopes), len(self._regions))

    def _holds(self, guard: Iterable[Region]) -> bool:
        return all(region in self._regions for region in guard)

    def _not_null(self, node: Node) -> None:
        """`=` is never true for NULL, so a row of the column's source takes part, down to the base table."""
        source, key = node
        if isinstance(key, Computed):
            for part in key.keys if key.strict else ():
                self._not_null((source, part))
            return
        self._there(source)
        if source.inner is not None and source.inner in self._scopes:
            inside = source.inner.outputs[int(key)].node
            if inside is not None:
                self._not_null(inside)

    # what is equal

    def _merge(self) -> None:
        for scope in self._scopes:
            for condition in scope.conditions:
                if self._holds(condition.guard):
                    self._join(condition.left, condition.right)
        for source in self.present:
            if source.inner is not None and source.inner in self._scopes:
                self._pass_through(source, source.inner)

    def _pass_through(self, source: Source, inner: Scope) -> None:
        """Join the outputs of a derived table with the columns they are, as far as the scope lets `use` through."""
        outward = self.use.scope.within(inner)

        def passes(node: Node) -> bool:
            # Of a set operation's branches only that is read which the rows in question come from.
            if inner.alternatives and node[0] not in self.present:
                return False
            return not (outward and inner.why_coupled(node))

        for number, output in enumerate(inner.outputs):
            for node in filter(passes, output.nodes):
                self._join((source, number), node)
        for key in source.computed:
            for inside, same in below(source, key):
                assert isinstance(same, Computed)  # noqa: S101  # what `below` gives
                if all(passes((inside, part)) for part in same.keys):
                    self._join((source, key), (inside, same))

    def _root(self, node: Node) -> Node:
        while node in self._same:
            node = self._same[node]
        return node

    def _join(self, one: Node, other: Node) -> None:
        one, other = self._root(one), self._root(other)
        if one != other:
            self._same[one] = other
