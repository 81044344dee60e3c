"""Why a condition that relates rows states no equality that is followed, and what to write instead. No I/O."""

from __future__ import annotations

from dataclasses import dataclass

from sqlglot import exp

from connector.projection.analysis.conditions.membership import null_is_false
from connector.projection.analysis.nodes import column_of
from connector.projection.analysis.scopes import Scope, Source
from connector.projection.analysis.values.values import element_of, possible
from connector.projection.catalog.columns import STAMPS, comparable
from connector.projection.sql.syntax import QUERIES, bare, items, offset_of

_LONGEST = 80
_FORMS = "plain columns, and the expressions that the mapping guide lists (`lower`, `->>`, `||`, `coalesce`, casts)"
PRINTED = (exp.Concat, exp.ConcatWs, exp.Format, exp.Encode)
_BESIDE = "put an = between columns of the two beside it"


@dataclass(frozen=True, slots=True)
class Unfollowed:
    """`why` is said of the condition; `rewrite` is what is followed."""

    why: str
    rewrite: str


def written(node: exp.Expr) -> str:
    """A part of the mapping, as short as fits into a sentence."""
    text = node.sql(dialect="postgres", comments=False, normalize_functions=False)
    return f"`{text}`" if len(text) <= _LONGEST else f"`{text[:_LONGEST]}...`"


def unfollowed(scope: Scope, term: exp.Expr) -> Unfollowed | None:
    """None for a condition that states an equality, or that is true or false for one row by itself."""
    term = bare(term)
    if isinstance(term, exp.NullSafeEQ):
        return _not_distinct(term)
    if isinstance(term, exp.Not):
        return _negated(scope, bare(term.this), term)
    if isinstance(term, (exp.Or, exp.Case)) or (isinstance(term, exp.In) and term.expressions):
        return _alternatives(scope, term)
    if isinstance(term, exp.In):
        return _member(scope, term, term)
    if isinstance(term, exp.Exists):
        return _exists(term)
    if isinstance(term, (exp.EQ, exp.NEQ)) and isinstance(term.expression, exp.All):
        return _of_all(term)
    if isinstance(term, exp.EQ) and isinstance(term.expression, exp.Any) and _is_query(term.expression.this):
        return _member(scope, term, _as_in(term))
    if isinstance(term, exp.EQ):
        return _equality(scope, term)
    why = f"{written(term)} is no equality: rows of any order may meet it"
    return Unfollowed(why, f"{_BESIDE} (rates: r.currency = o.currency AND r.valid_from <= o.placed)")


def _negated(scope: Scope, inner: exp.Expr, term: exp.Not) -> Unfollowed | None:
    if isinstance(inner, exp.NullSafeNEQ):
        return _not_distinct(inner)
    if isinstance(inner, exp.In) and inner.args.get("query") is not None:
        return _may_be_null(inner, negated=True)
    if isinstance(inner, exp.Exists):
        return unfollowed(scope, inner)
    if isinstance(inner, exp.Is) and isinstance(inner.expression, exp.Boolean) and not inner.expression.this:
        shown = written(inner).replace(" IS FALSE", " IS NOT FALSE")
        why = f"{shown} is true where a side is NULL, too, which it may be in any row"
        return Unfollowed(why, "leave IS NOT FALSE out, or write IS TRUE")
    return Unfollowed(f"{written(term)} holds for what does not match, which rows of any order may meet", _BESIDE)


def _not_distinct(term: exp.Binary) -> Unfollowed:
    ours, theirs = (side.sql(dialect="postgres", comments=False) for side in (term.this, term.expression))
    why = f"`{ours} IS NOT DISTINCT FROM {theirs}` is true where both are NULL, too, and no lookup finds a NULL"
    return Unfollowed(why, f"write {ours} = {theirs}, or say of one side that it IS NOT NULL")


def _may_be_null(term: exp.In, *, negated: bool) -> Unfollowed:
    """With NULL on either side each row of the subquery counts for every order."""
    left, query = items(term.this), term.args["query"]
    inner = query.this if isinstance(query, exp.Subquery) else query
    outputs = inner.expressions if isinstance(inner, exp.Select) else []
    pairs = [
        f"{one.unalias().sql(dialect='postgres')} = {ours.sql(dialect='postgres')}"
        for one, ours in zip(outputs, left, strict=False)
    ]
    word, instead = ("NOT IN", "NOT EXISTS") if negated else ("IN", "EXISTS")
    why = f"{word} (SELECT ...) is NULL for every order as soon as one row gives NULL, and a column here may be NULL"
    if any(one.find(exp.AggFunc) is not None for one in outputs):
        return Unfollowed(why, f"write {instead} (SELECT FROM (SELECT ...) AS m WHERE m.column = ...)")
    return Unfollowed(why, f"write {instead} (SELECT FROM ... WHERE {' AND '.join(pairs) or '... = ...'})")


def _member(scope: Scope, term: exp.Expr, membership: exp.In) -> Unfollowed | None:
    """`term`: where it stands, as IN or = ANY."""
    if not null_is_false(term):
        return _may_be_null(membership, negated=False)
    query = term.args.get("query") or bare(term.expression.this)
    return _scalar(scope, query)


def _is_query(side: exp.Expr) -> bool:
    return isinstance(bare(side), (exp.Subquery, *QUERIES))


def _as_in(term: exp.Binary) -> exp.In:
    return exp.In(this=term.this.copy(), query=bare(term.expression.this).copy())


def _of_all(term: exp.Binary) -> Unfollowed:
    if isinstance(term, exp.NEQ):
        return _may_be_null(_as_in(term), negated=True)
    why = "= ALL (SELECT ...) is decided by each row of the subquery, for every order"
    return Unfollowed(why, "say in the subquery's WHERE, with =, which order its rows belong to")


def _alternatives(scope: Scope, term: exp.Expr) -> Unfollowed:
    why = f"{written(term)} leaves a choice, and not each alternative is an = that joins it"
    return Unfollowed(
        why,
        "write a LEFT JOIN for each alternative, with = on its own, and coalesce(one.column, other.column)",
    )


def _exists(term: exp.Exists) -> Unfollowed | None:
    query = term.this.this if isinstance(term.this, exp.Subquery) else term.this
    counts = isinstance(query, exp.Select) and query.args.get("group") is None and query.find(exp.AggFunc) is not None
    if not counts:
        return None
    why = "EXISTS of an aggregate is always true, because that gives a row even where it reads none: it joins nothing"
    return Unfollowed(why, "write EXISTS (SELECT FROM ...), without the aggregate")


def _equality(scope: Scope, term: exp.EQ) -> Unfollowed | None:
    if isinstance(term.expression, exp.Any) and not isinstance(
        bare(term.expression.this), (exp.Array, exp.Subquery, *QUERIES)
    ):
        array = bare(term.expression.this)
        if element_of(scope, array, "array", offset_of(array)) is not None:
            return _side(scope, term.this)
        return Unfollowed(f"the elements of {written(array)} can't be looked up", "join by a column that is an array")
    ours, theirs = items(term.this), items(term.expression)
    if len(ours) != len(theirs):
        return None
    found = [_pair(scope, *pair) for pair in zip(ours, theirs, strict=True)]
    return found[0] if all(found) else None


def _pair(scope: Scope, one: exp.Expr, other: exp.Expr) -> Unfollowed | None:
    sides = [bare(side) for side in (one, other)]
    for side in sides:
        if isinstance(side, (exp.Subquery, *QUERIES)):
            return _scalar(scope, side)
        found = _side(scope, side) or (_picked(side) if _picks(scope, side) else _made_of_picked(scope, side))
        if found is not None:
            return found
    columns = [column for side in sides for node in (possible(scope, side) or ())[:1] if (column := column_of(node))]
    if len(columns) < 2 or comparable(*columns):
        return None
    types = " with ".join(column.type for column in columns)
    why = (
        f"{written(exp.EQ(this=one.copy(), expression=other.copy()))} compares {types}, which a lookup may do otherwise"
    )
    stamp = next((side for side, column in zip(sides, columns, strict=False) if column.type in STAMPS), None)
    if stamp is not None and "date" in types.split():
        return Unfollowed(why, f"write {written(stamp).strip('`')}::date, if its day is meant")
    return Unfollowed(why, "join by columns of one type: keep the value in a column of the other one's type")


def _scalar(scope: Scope, side: exp.Expr) -> Unfollowed | None:
    query = side.unnest() if isinstance(side, exp.Subquery) else side
    inner = next((child for child in scope.children if child.select is query), None)
    if inner is None or not inner.outputs or inner.outputs[0].values:
        return None
    if inner.outputs[0].picked is not None:
        return _picked(side)
    why = f"{written(side)} computes its value, and no lookup finds the rows behind it"
    return Unfollowed(why, "let it give a column, or max or min of one")


def _picked(side: exp.Expr) -> Unfollowed:
    why = f"{written(side)} is max or min of rows that nothing else joins to the order, and each of them may change it"
    return Unfollowed(
        why,
        "join by what they are grouped by, too: (x.parent_id, x.id) IN (SELECT parent_id, max(id) ... GROUP BY"
        " parent_id); or say in the subquery's WHERE, with =, whose its rows are",
    )


def _made_of_picked(scope: Scope, side: exp.Expr) -> Unfollowed | None:
    column = next((column for column in side.find_all(exp.Column) if _picks(scope, column)), None)
    if column is None:
        return None
    why = f"{written(side)} is an expression over {written(column)}, which is max or min of a column"
    return Unfollowed(
        why, f"join the row that has {written(column)} first, and write the expression over that row's column"
    )


def _picks(scope: Scope, side: exp.Expr) -> bool:
    """Whether a column is max or min of another one."""
    node = scope.references.get(id(side))
    while node is not None and node[0].inner is not None:
        output = node[0].inner.outputs[int(str(node[1]))]
        if output.picked is not None:
            return True
        node = output.node
    return False


def _side(scope: Scope, side: exp.Expr) -> Unfollowed | None:
    found = possible(scope, side)
    if found is not None and all(column_of(node) is not None for node in found):
        return None
    inside = [scope.references.get(id(column)) for column in side.find_all(exp.Column)]
    sources: list[Source] = list(dict.fromkeys(node[0] for node in inside if node is not None))
    if len(sources) > 1:
        why = f"{written(side)} is made of columns of several tables"
        return Unfollowed(why, "keep to one table's columns on each side of =")
    if not sources:
        return Unfollowed(f"{written(side)} is no column that is followed", f"join by {_FORMS}")
    if isinstance(bare(side), exp.Column):
        why = f"{written(side)} is computed in the query that gives it, in a way that isn't followed"
        return Unfollowed(why, "let that query give a plain column, of one type in all branches of a union")
    called = _own_function(scope, side)
    if called:
        why = f"{written(side)} calls {called}, a function of your own, which may answer otherwise one day"
        return Unfollowed(why, "write it with built-in functions, or keep its result in a column and join by that")
    why = f"{written(side)} is an expression that no lookup can be made by"
    if side.find(*PRINTED) is not None:
        why = f"{written(side)} prints a value whose text isn't sure"
        if side.find(exp.Encode) is not None:
            rewrite = "keep it in a column; encode is followed of constants, whole numbers and uuid, as base64 or hex"
            return Unfollowed(why, rewrite)
        return Unfollowed(why, "write it with ||, and coalesce where NULL is meant to be empty: 'a,' || x.id::text")
    if any(call.name.lower() == "convert_from" for call in side.find_all(exp.Anonymous)):
        why = f"{written(side)} fails for a text that wasn't encoded so"
        return Unfollowed(why, "write encode(convert_to(..., 'UTF8'), 'base64') on the other side of =")
    if isinstance(bare(side), exp.Cast):
        why = f"{written(side)} is a cast that may cut or round, or whose answer depends on settings"
    elif any(column is not None and column.own_collation for column in map(column_of, filter(None, inside))):
        why = f"{written(side)} is computed in the column's own collation, which is another one than the database's"
    return Unfollowed(why, f"keep its value in a column and join by that; followed are {_FORMS}")


def _own_function(scope: Scope, side: exp.Expr) -> str:
    calls = (call for call in side.find_all(exp.Anonymous) if str(call.this).lower() in scope.overloaded)
    return next((str(call.this) for call in calls), "")
