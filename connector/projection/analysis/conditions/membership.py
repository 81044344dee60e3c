"""IN, NOT IN and their like: which rows of the subquery count. No I/O.

Only rows count whose output equals the left side. Where the answer NULL is another one than FALSE, under NOT and in an
output, rows with NULL count too, and for a left side of NULL all rows do: it makes a difference whether there are any.
"""

from __future__ import annotations

from collections.abc import Iterator

from sqlglot import exp

from connector.projection.analysis.nodes import column_of, surely_there
from connector.projection.analysis.scopes import Condition, Node, Scope, Source
from connector.projection.analysis.values.values import value_of
from connector.projection.catalog.columns import comparable, exactly_comparable
from connector.projection.sql.syntax import QUERIES, bare, items, null_taken_for_false, offset_of


def inside(nested: dict[int, Scope], query: exp.Expr) -> Scope | None:
    while isinstance(query, (exp.Subquery, exp.Paren)):
        query = query.this
    return nested.get(id(query))


def member(scope: Scope, left: list[exp.Expr], inner: Scope, at: int) -> Iterator[tuple[Node, Node]]:
    """The columns on the left side, with those outputs of the subquery that they are compared with."""
    holder = Source("", scope, at, inner=inner)
    inner.holder = holder
    scope.holders.append(holder)
    for number, item in enumerate(left):
        ours = value_of(scope, item)
        if ours is not None and number < len(inner.outputs):
            yield ours, (holder, number)


def state_memberships(scope: Scope, nested: dict[int, Scope]) -> None:
    """For the subqueries in all clauses of a scope of which no condition has said it, say which of their rows count."""
    for term in scope.select.walk(prune=lambda node: isinstance(node, QUERIES) and node is not scope.select):
        found = _compared(term)
        inner = inside(nested, found[1]) if found is not None else None
        if found is None or inner is None or inner.holder is not None:
            continue
        may_be_null = not null_is_false(term)
        for ours, theirs in member(scope, items(found[0]), inner, offset_of(found[1])):
            one, other = column_of(ours), column_of(theirs)
            if one is None or other is None or not comparable(one, other):
                continue
            if {"=", "<>"} & scope.overloaded and not exactly_comparable(one, other):
                continue
            if not may_be_null or (surely_there(ours) and surely_there(theirs)):
                inner.conditions.append(Condition(ours, theirs, ()))


def _compared(term: exp.Expr) -> tuple[exp.Expr, exp.Expr] | None:
    """The left side and the query of `IN (query)`, `= ANY (query)` and `<> ALL (query)`."""
    if isinstance(term, exp.In) and term.args.get("query") is not None:
        return term.this, term.args["query"]
    if isinstance(term, (exp.EQ, exp.NEQ)):
        quantified = term.args["expression"]
        if isinstance(quantified, exp.Any if isinstance(term, exp.EQ) else exp.All):
            return term.this, bare(quantified.this)
    return None


def null_is_false(term: exp.Expr) -> bool:
    """True where a condition that is NULL does what one that is FALSE does."""
    if isinstance(term, exp.NEQ):
        return False
    inner, around = term, term.parent
    while isinstance(around, (exp.Paren, exp.And, exp.Or)):
        inner, around = around, around.parent
    if around is not None and null_taken_for_false(around) is inner:
        return True
    if isinstance(around, exp.If):
        case = around.parent
        return around.this is inner and isinstance(case, exp.Case) and case.this is None
    return isinstance(around, (exp.Where, exp.Having, exp.Join))
