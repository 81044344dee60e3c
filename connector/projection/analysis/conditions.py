"""What a condition in ON or WHERE states: equalities between columns, or expressions over columns, of two rows; rows of
subqueries; and choices between such. Only what must hold on every row that passes. No I/O."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from itertools import product

from sqlglot import exp

from connector.projection.analysis.membership import inside, member
from connector.projection.analysis.scopes import (
    Alternative,
    Choice,
    Condition,
    Fact,
    Implied,
    Node,
    Region,
    Scope,
    column_of,
    surely_there,
)
from connector.projection.analysis.values import possible, value_of
from connector.projection.catalog.columns import comparable
from connector.projection.sql.syntax import bare, disjuncts, items, offset_of, terms

_MOST_ALTERNATIVES = 12


def stated(scope: Scope, nested: dict[int, Scope], expression: exp.Expr, guard: tuple[Region, ...]) -> list[Fact]:
    """What the terms of an AND state. Under NOT they state nothing."""
    for term in terms(expression):
        if isinstance(term, exp.Is) and term.args.get("negate") and isinstance(term.expression, exp.Null):
            node = value_of(scope, term.this)
            if node is not None and not guard:
                scope.not_null.add(node)
    return _Reader(scope, nested).read(expression, guard)


class _Reader:
    """Reads conditions of one scope. `nested`: the scopes of the subqueries in them."""

    def __init__(self, scope: Scope, nested: dict[int, Scope]) -> None:
        self.scope = scope
        self.nested = nested

    def read(self, expression: exp.Expr, guard: tuple[Region, ...]) -> list[Fact]:
        return [fact for term in terms(expression) for fact in self._term(term, guard)]

    def _term(self, term: exp.Expr, guard: tuple[Region, ...]) -> list[Fact]:
        if isinstance(term, exp.EQ):
            return [fact for left, right in _sides(term) for fact in self._equality(left, right, guard)]
        if isinstance(term, exp.In):
            return self._in(term, guard)
        if isinstance(term, exp.Or):
            same = _distinctness_of(term)
            return self._not_distinct(*same, guard) if same else self._any_of(disjuncts(term), guard)
        if isinstance(term, exp.Case):
            return self._any_of([*(each.args["true"] for each in term.args["ifs"]), term.args.get("default")], guard)
        if isinstance(term, exp.NullSafeEQ):
            return self._not_distinct(term.this, term.expression, guard)
        if isinstance(term, exp.Not) and isinstance(bare(term.this), exp.NullSafeNEQ):
            return self._not_distinct(bare(term.this).this, bare(term.this).expression, guard)
        if isinstance(term, exp.Exists):
            inner = inside(self.nested, term.this)
            return [Implied(inner, guard)] if inner is not None else []
        return []

    def _in(self, term: exp.In, guard: tuple[Region, ...]) -> list[Fact]:
        query = term.args.get("query")
        if query is not None:
            return self._chosen(items(term.this), query, guard)
        wanted = items(term.this)
        found = []
        for written in term.expressions:
            given = items(written)
            if len(given) != len(wanted):
                return []
            found.append([f for one, other in zip(wanted, given, strict=True) for f in self._equality(one, other, ())])
        return choice(found, guard)

    def _any_of(self, expressions: Sequence[exp.Expr | None], guard: tuple[Region, ...]) -> list[Fact]:
        """At least one of the conditions holds."""
        possible = [each for each in expressions if each is not None and not _never_true(each)]
        return choice([self.read(each, ()) for each in possible], guard)

    def _equality(self, left: exp.Expr, right: exp.Expr, guard: tuple[Region, ...]) -> list[Fact]:
        for one, other in ((left, right), (right, left)):
            # `= ANY (query)` chooses among its rows as IN does; a scalar subquery has one.
            query = bare(other.this) if isinstance(other, exp.Any) else bare(other)
            if isinstance(query, (exp.Subquery, exp.Query)):
                return self._chosen(items(one), query, guard)
        ours, theirs = possible(self.scope, left), possible(self.scope, right)
        if ours is None or theirs is None:
            return []
        return choice([condition(one, other, ()) for one, other in product(ours, theirs)], guard)

    def _not_distinct(self, left: exp.Expr, right: exp.Expr, guard: tuple[Region, ...]) -> list[Fact]:
        """`=` as long as not both can be NULL."""
        ours, theirs = value_of(self.scope, left), value_of(self.scope, right)
        if ours is None or theirs is None or not (surely_there(ours, guard) or surely_there(theirs, guard)):
            return []
        return condition(ours, theirs, guard)

    def _chosen(self, left: list[exp.Expr], query: exp.Expr, guard: tuple[Region, ...]) -> list[Fact]:
        """Some row of a subquery equals these expressions."""
        inner = inside(self.nested, query)
        if inner is None:
            return []
        made: list[Fact] = [Implied(inner, guard)]
        for ours, theirs in member(self.scope, left, inner, offset_of(query)):
            made += condition(ours, theirs, guard)
            # Rows of the subquery that differ count for nothing, wherever it stands.
            inner.state(condition(ours, theirs, ()))
        return made


def _sides(term: exp.Binary) -> Iterator[tuple[exp.Expr, exp.Expr]]:
    """The two sides; of a comparison of rows, column by column."""
    ours, theirs = items(term.this), items(term.expression)
    if len(ours) == len(theirs):
        yield from zip(ours, theirs, strict=True)
    elif len(theirs) == 1:
        yield term.this, theirs[0]


def _distinctness_of(term: exp.Or) -> tuple[exp.Expr, exp.Expr] | None:
    """The two sides of `x = y OR (x IS NULL AND y IS NULL)`."""
    found = disjuncts(term)
    equal = next((each for each in found if isinstance(each, exp.EQ)), None)
    nulls = next((each for each in found if isinstance(each, exp.And)), None)
    if len(found) != 2 or equal is None or nulls is None:
        return None
    both = [bare(each.this) for each in terms(nulls) if isinstance(each, exp.Is) and _is_null(each)]
    sides = [bare(equal.this), bare(equal.expression)]
    return (sides[0], sides[1]) if both in (sides, sides[::-1]) and len(list(terms(nulls))) == 2 else None


def _is_null(term: exp.Is) -> bool:
    return not term.args.get("negate") and isinstance(term.expression, exp.Null)


def _never_true(expression: exp.Expr) -> bool:
    expression = bare(expression)
    return isinstance(expression, exp.Null) or (isinstance(expression, exp.Boolean) and not expression.this)


def choice(alternatives: Sequence[Sequence[Fact]], guard: tuple[Region, ...]) -> list[Fact]:
    """At least one of the alternatives holds. One that states nothing makes the others worthless."""
    if not alternatives or len(alternatives) > _MOST_ALTERNATIVES or not all(alternatives):
        return []
    if len(alternatives) > 1:
        return [Choice([Alternative(facts) for facts in alternatives], guard)]
    for fact in alternatives[0]:
        fact.guard = guard
    return list(alternatives[0])


def condition(left: Node, right: Node, guard: tuple[Region, ...]) -> list[Fact]:
    """One condition, unless `=` between the two types is no equivalence that a lookup could keep."""
    ours, theirs = column_of(left), column_of(right)
    if ours is None or theirs is None or not comparable(ours, theirs):
        return []
    return [Condition(left, right, guard)]
