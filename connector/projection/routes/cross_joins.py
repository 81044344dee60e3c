"""Tables that nothing joins to the orders: settings that every order sees. No I/O.

Every order is looked at when such a table changes. That is right for any table, and cheap enough for one of few rows.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from sqlglot import exp

from connector.projection.analysis.scopes import Condition, Scope, Source
from connector.projection.sql.syntax import QUERIES, terms


class Components:
    """Which sources the conditions of a mapping relate to each other, in whatever form, also by way of others."""

    def __init__(self, top: Scope) -> None:
        self._same: dict[Source, Source] = {}
        for scope in top.all_scopes():
            for source in scope.sources:
                self._relate(_parts_of(source))
            for condition in scope.conditions:
                self._relate(_related(condition))
            for term in terms_of(scope):
                self._relate(mentioned(scope, term))

    def related(self, one: Source, other: Source) -> bool:
        return self._root(one) is self._root(other)

    def _relate(self, sources: Iterable[Source]) -> None:
        first: Source | None = None
        for source in map(self._root, sources):
            if first is None:
                first = source
            elif source is not first:
                self._same[source] = first

    def _root(self, source: Source) -> Source:
        while source in self._same:
            source = self._same[source]
        return source


def _read_by(scope: Scope) -> Iterator[Source]:
    """The sources of a query's own FROM, and those of the subqueries there."""
    for source in scope.sources:
        yield source
        if source.inner is not None:
            yield from _read_by(source.inner)


def _related(condition: Condition) -> Iterator[Source]:
    for source, _ in (condition.left, condition.right):
        yield from _parts_of(source)


def _parts_of(source: Source) -> Iterator[Source]:
    """A source, and what its rows are made of."""
    yield source
    if source.inner is not None:
        yield from _read_by(source.inner)
    if source.element is not None:
        yield source.element.array[0]


def terms_of(scope: Scope) -> Iterator[exp.Expr]:
    select = scope.select
    clauses = [clause for clause in (select, select.args.get("from_")) if clause is not None]
    conditions = [join.args.get("on") for clause in clauses for join in _joins(clause)]
    conditions += [select.args[part].this for part in ("where", "having") if select.args.get(part) is not None]
    for condition in conditions:
        if condition is not None:
            yield from terms(condition)
    for node in select.walk(prune=lambda node: isinstance(node, QUERIES) and node is not select):
        if isinstance(node, (exp.In, exp.EQ, exp.NEQ)) and node.find(*QUERIES) is not None:
            yield node


def _joins(clause: exp.Expr) -> Iterator[exp.Join]:
    """Those of one SELECT, in parentheses too."""
    for node in clause.walk(prune=lambda node: isinstance(node, QUERIES) and node is not clause):
        if isinstance(node, exp.Join):
            yield node


def mentioned(scope: Scope, term: exp.Expr) -> Iterator[Source]:
    """The sources that a term names, and those of the subqueries in it."""
    for node in term.walk():
        found = scope.references.get(id(node))
        if found is not None:
            yield found[0]
        for child in scope.children:
            if child.select is node and child.holder not in scope.sources:
                yield from _read_by(child)
