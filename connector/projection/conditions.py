"""The equalities that a scope's conditions state: only those that must hold, between plain columns. No I/O."""

from __future__ import annotations

from sqlglot import exp

from connector.projection.catalog import comparable
from connector.projection.mapping import offset_of
from connector.projection.scopes import Condition, Implied, Node, Region, Scope, Source, column_of
from connector.projection.syntax import bare, items, terms


def stated(scope: Scope, nested: dict[int, Scope], expression: exp.Expr, guard: tuple[Region, ...]) -> list[Condition]:
    """The equalities among the terms of an AND. Under OR or NOT there are none."""
    made: list[Condition] = []
    for term in terms(expression):
        if isinstance(term, exp.EQ):
            pairs = zip(items(term.this), items(term.expression), strict=False)
            for left, right in pairs:
                ours, theirs = (scope.references.get(id(bare(side))) for side in (left, right))
                if ours is not None and theirs is not None:
                    made += condition(ours, theirs, guard)
        elif isinstance(term, exp.In) and term.args.get("query") is not None:
            made += _in(scope, nested, term, guard)
        elif isinstance(term, exp.Exists):
            inner = _inside(nested, term.this)
            if inner is not None:
                scope.implied.append(Implied(inner, guard))
    return made


def _in(scope: Scope, nested: dict[int, Scope], term: exp.In, guard: tuple[Region, ...]) -> list[Condition]:
    inner = _inside(nested, term.args["query"])
    if inner is None:
        return []
    holder = Source("", scope, offset_of(term), inner=inner)
    inner.holder = holder
    scope.holders.append(holder)
    scope.implied.append(Implied(inner, guard))
    made: list[Condition] = []
    for number, item in enumerate(items(term.this)):
        ours = scope.references.get(id(bare(item)))
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
    if ours is not None and theirs is not None and not comparable(ours, theirs):
        return []
    return [Condition(left, right, guard)]
