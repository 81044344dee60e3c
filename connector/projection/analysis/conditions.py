"""The equalities that a scope's conditions state: only those that must hold, between plain columns or columns cast to
text. No I/O."""

from __future__ import annotations

from collections.abc import Iterator

from sqlglot import exp

from connector.projection.analysis.scopes import Condition, Implied, Node, Region, Scope, Source, column_of
from connector.projection.analysis.values import value_of
from connector.projection.catalog.columns import comparable
from connector.projection.sql.syntax import bare, items, offset_of, terms


def stated(scope: Scope, nested: dict[int, Scope], expression: exp.Expr, guard: tuple[Region, ...]) -> list[Condition]:
    """The equalities among the terms of an AND. Under OR or NOT there are none."""
    made: list[Condition] = []
    for term in terms(expression):
        if isinstance(term, exp.EQ):
            for left, right in _sides(term):
                made += _equality(scope, nested, left, right, guard)
        elif isinstance(term, exp.In) and term.args.get("query") is not None:
            made += _chosen(scope, nested, items(term.this), term.args["query"], guard)
        elif isinstance(term, exp.Exists):
            inner = _inside(nested, term.this)
            if inner is not None:
                scope.implied.append(Implied(inner, guard))
        elif isinstance(term, exp.Is) and term.args.get("negate") and isinstance(term.expression, exp.Null):
            node = value_of(scope, term.this)
            if node is not None and not guard:
                scope.not_null.add(node)
    return made


def _sides(term: exp.EQ) -> Iterator[tuple[exp.Expr, exp.Expr]]:
    """The two sides; of a comparison of rows, column by column."""
    ours, theirs = items(term.this), items(term.expression)
    if len(ours) == len(theirs):
        yield from zip(ours, theirs, strict=True)
    elif len(theirs) == 1:
        yield term.this, theirs[0]


def _equality(
    scope: Scope, nested: dict[int, Scope], left: exp.Expr, right: exp.Expr, guard: tuple[Region, ...]
) -> list[Condition]:
    for one, other in ((left, right), (right, left)):
        # `= ANY (query)` chooses among its rows as IN does; a scalar subquery has one.
        query = bare(other.this) if isinstance(other, exp.Any) else bare(other)
        if isinstance(query, (exp.Subquery, exp.Query)):
            return _chosen(scope, nested, items(one), query, guard)
    ours, theirs = value_of(scope, left), value_of(scope, right)
    return condition(ours, theirs, guard) if ours is not None and theirs is not None else []


def _chosen(
    scope: Scope, nested: dict[int, Scope], left: list[exp.Expr], query: exp.Expr, guard: tuple[Region, ...]
) -> list[Condition]:
    """Some row of a subquery equals these expressions."""
    inner = _inside(nested, query)
    if inner is None:
        return []
    holder = Source("", scope, offset_of(query), inner=inner)
    inner.holder = holder
    scope.holders.append(holder)
    scope.implied.append(Implied(inner, guard))
    made: list[Condition] = []
    for number, item in enumerate(left):
        ours = value_of(scope, item)
        if ours is not None and number < len(inner.outputs):
            made += condition(ours, (holder, number), guard)
    return made


def _inside(nested: dict[int, Scope], query: exp.Expr) -> Scope | None:
    while isinstance(query, (exp.Subquery, exp.Paren)):
        query = query.this
    return nested.get(id(query))


def condition(left: Node, right: Node, guard: tuple[Region, ...]) -> list[Condition]:
    """One condition, unless `=` between the two types is no equivalence that a lookup could keep."""
    ours, theirs = column_of(left), column_of(right)
    if ours is None or theirs is None or not comparable(ours, theirs):
        return []
    return [Condition(left, right, guard)]
