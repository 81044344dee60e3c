"""What a condition in ON or WHERE states: equalities and inequalities between columns, or expressions over columns, of
two rows; rows of subqueries; constant conditions; and choices between such. Only what must hold on every row that
passes. No I/O."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Sequence
from dataclasses import replace
from itertools import product

from sqlglot import exp

from connector.projection.analysis.conditions.filters import filters_of
from connector.projection.analysis.conditions.membership import inside, member
from connector.projection.analysis.nodes import column_of, surely_there
from connector.projection.analysis.scopes import (
    Alternative,
    Choice,
    Condition,
    Fact,
    Filter,
    Implied,
    Inequality,
    Node,
    Region,
    Scope,
)
from connector.projection.analysis.values.values import element_of, possible, value_of
from connector.projection.catalog.columns import TIMES, comparable, exactly_comparable, ordered
from connector.projection.sql.syntax import CAST_TYPES_OF_STAMPS, bare, disjuncts, items, offset_of, terms

_MOST_ALTERNATIVES = 12
_ORDERED = (exp.LT, exp.LTE, exp.GT, exp.GTE, exp.Between)


def stated(scope: Scope, nested: dict[int, Scope], expression: exp.Expr, guard: tuple[Region, ...]) -> list[Fact]:
    """What the terms of an AND state. Under NOT they state no equality."""
    return _Reader(scope, nested, guard).read(expression)


class _Reader:
    """Reads a condition of one scope. `nested`: the scopes of the subqueries in it."""

    def __init__(self, scope: Scope, nested: dict[int, Scope], guard: tuple[Region, ...]) -> None:
        self.scope = scope
        self.nested = nested
        self.guard = guard

    def read(self, expression: exp.Expr) -> list[Fact]:
        found = list(terms(expression))
        filters = [each for term in found for each in filters_of(self.scope, term, self.guard)]
        filled = {each.node for each in filters if each.strict}
        return [*filters, *(fact for term in found for fact in self._term(term, filled))]

    def _term(self, term: exp.Expr, filled: Collection[Node]) -> list[Fact]:
        """`filled`: columns that other terms say are not NULL."""
        if isinstance(term, exp.EQ):
            return [fact for left, right in _sides(term) for fact in self._equality(left, right)]
        if isinstance(term, _ORDERED):
            return [*self._ordered(term)]
        if isinstance(term, exp.In):
            return self._in(term)
        if isinstance(term, exp.Or):
            same = _distinctness_of(term)
            if same is not None:
                return self._not_distinct(*same, filled)
            return self._open_ended(disjuncts(term)) or self._any_of(disjuncts(term))
        if isinstance(term, exp.Case):
            return self._any_of([*(each.args["true"] for each in term.args["ifs"]), term.args.get("default")])
        if isinstance(term, exp.NullSafeEQ):
            return self._not_distinct(term.this, term.expression, filled)
        if isinstance(term, exp.Not) and isinstance(bare(term.this), exp.NullSafeNEQ):
            return self._not_distinct(bare(term.this).this, bare(term.this).expression, filled)
        if isinstance(term, (exp.ArrayContainsAll, exp.ArrayContainedBy)):
            return self._contained(term)
        if isinstance(term, exp.Exists):
            inner = inside(self.nested, term.this)
            return [Implied(inner, self.guard)] if inner is not None else []
        return []

    def _in(self, term: exp.In) -> list[Fact]:
        query = term.args.get("query")
        if query is not None:
            return self._chosen(items(term.this), query)
        wanted = items(term.this)
        found = []
        for written in term.expressions:
            given = items(written)
            if len(given) != len(wanted):
                return []
            found.append([fact for pair in zip(wanted, given, strict=True) for fact in self._equality(*pair)])
        return self._choice(found)

    def _any_of(self, expressions: Sequence[exp.Expr | None]) -> list[Fact]:
        """At least one of the conditions holds."""
        return self._choice([self.read(each) for each in expressions if each is not None and not _never_true(each)])

    def _equality(self, left: exp.Expr, right: exp.Expr) -> list[Fact]:
        for one, other in ((left, right), (right, left)):
            # `= ANY (query)` chooses among its rows as IN does; a scalar subquery has one.
            query = bare(other.this) if isinstance(other, exp.Any) else bare(other)
            if isinstance(query, (exp.Subquery, exp.Query)):
                return self._chosen(items(one), query)
            if isinstance(other, exp.Any) and not isinstance(query, exp.Array):
                return self._element(one, query)
        ours, theirs = possible(self.scope, left), possible(self.scope, right)
        if ours is None or theirs is None:
            return []
        return self._choice([condition(one, other, self.guard) for one, other in product(ours, theirs)])

    def _ordered(self, term: exp.Expr) -> Iterator[Inequality]:
        if isinstance(term, exp.Between):
            low, middle, high = term.args["low"], term.this, term.args["high"]
            if not term.args.get("symmetric"):
                yield from self._inequality(low, middle)
                yield from self._inequality(middle, high)
            return
        sides = (term.this, term.expression) if isinstance(term, (exp.LT, exp.LTE)) else (term.expression, term.this)
        yield from self._inequality(*sides, strict=isinstance(term, (exp.LT, exp.GT)))

    def _inequality(self, lower: exp.Expr, upper: exp.Expr, *, strict: bool = False) -> list[Inequality]:
        """Where `coalesce(x, ...)` is compared, `x` is, unless it is NULL."""
        defaulted = [isinstance(bare(side), exp.Coalesce) for side in (lower, upper)]
        sides = [bare(side).this if found else side for side, found in zip((lower, upper), defaulted, strict=True)]
        one, other = (self._instant(side) for side in sides)
        ours, theirs = one and column_of(one), other and column_of(other)
        if one is None or other is None or ours is None or theirs is None or not ordered(ours, theirs):
            return []
        nullable = one if defaulted[0] else other if defaulted[1] else None
        return [] if all(defaulted) else [Inequality(one, other, strict, nullable, self.guard)]

    def _instant(self, expression: exp.Expr) -> Node | None:
        """The column or expression that stands there, also under a cast of a day or a time stamp to a time stamp."""
        node, inside = value_of(self.scope, expression), bare(expression)
        if node is not None or not isinstance(inside, exp.Cast):
            return node
        to = CAST_TYPES_OF_STAMPS.get(inside.to.this) if not inside.to.expressions else None
        node = self._instant(inside.this) if to is not None and f"::{to}" not in self.scope.overloaded else None
        column = column_of(node) if node is not None else None
        return node if column is not None and column.type in TIMES else None

    def _open_ended(self, either: Sequence[exp.Expr]) -> list[Fact]:
        """What `x IS NULL OR x > y` states of `x`."""
        null = next((each for each in either if isinstance(each, exp.Is) and _is_null(each)), None)
        node = value_of(self.scope, null.this) if null is not None else None
        others = [bare(each) for each in either if each is not null]
        if node is None or len(others) > 1 or not isinstance(others[0], _ORDERED):
            return []
        found = [fact for fact in self._ordered(others[0]) if fact.nullable is None]
        return [replace(fact, nullable=node) for fact in found if node in (fact.lower, fact.upper)]

    def _not_distinct(self, left: exp.Expr, right: exp.Expr, filled: Collection[Node]) -> list[Fact]:
        """`=` as long as not both can be NULL."""
        ours, theirs = value_of(self.scope, left), value_of(self.scope, right)
        if ours is None or theirs is None:
            return []
        if not any(node in filled or surely_there(node, self.guard) for node in (ours, theirs)):
            return []
        return condition(ours, theirs, self.guard)

    def _contained(self, term: exp.ArrayContainsAll | exp.ArrayContainedBy) -> list[Fact]:
        """`array @> ARRAY[one, another]`, or the other way round: each is an element."""
        array, parts = bare(term.this), bare(term.expression)
        if isinstance(term, exp.ArrayContainedBy):
            array, parts = parts, array
        if not isinstance(parts, exp.Array) or {"@>", "<@"} & self.scope.overloaded:
            return []
        return [made for one in parts.expressions for made in self._element(one, array)]

    def _element(self, one: exp.Expr, array: exp.Expr) -> list[Fact]:
        """Some element of the array equals the expression."""
        ours, source = value_of(self.scope, one), element_of(self.scope, array, "array", offset_of(array))
        return condition(ours, (source, 0), self.guard) if ours is not None and source is not None else []

    def _chosen(self, left: list[exp.Expr], query: exp.Expr) -> list[Fact]:
        """Some row of a subquery equals these expressions."""
        inner = inside(self.nested, query)
        if inner is None:
            return []
        made: list[Fact] = [Implied(inner, self.guard)]
        for ours, theirs in member(self.scope, left, inner, offset_of(query)):
            made += condition(ours, theirs, self.guard)
            # Rows of the subquery that differ count for nothing, wherever it stands.
            inner.state(condition(ours, theirs, ()))
        return made

    def _choice(self, alternatives: Sequence[Sequence[Fact]]) -> list[Fact]:
        """At least one of the alternatives holds. One that relates no rows makes the others worthless."""
        if len(alternatives) == 1:
            return list(alternatives[0])
        related = all(any(not isinstance(fact, (Filter, Inequality)) for fact in facts) for facts in alternatives)
        if not alternatives or len(alternatives) > _MOST_ALTERNATIVES or not related:
            return []
        return [Choice([Alternative(facts) for facts in alternatives], self.guard)]


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


def condition(left: Node, right: Node, guard: tuple[Region, ...]) -> list[Fact]:
    """One condition, unless `=` between the two types is no equivalence that a lookup could keep."""
    ours, theirs = column_of(left), column_of(right)
    if ours is None or theirs is None or not comparable(ours, theirs):
        return []
    if "=" in left[0].scope.overloaded and not exactly_comparable(ours, theirs):
        return []
    return [Condition(left, right, guard)]
