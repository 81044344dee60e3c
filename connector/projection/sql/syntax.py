"""Small questions about sqlglot's tree that need no catalog: a name, a place, a term, a star, an output's name."""

from __future__ import annotations

from collections.abc import Iterator
from typing import ClassVar

import sqlglot
from sqlglot import exp
from sqlglot.dialects.postgres import Postgres
from sqlglot.errors import ParseError, TokenError
from sqlglot.parsers.postgres import PostgresParser

from connector.projection.sql.identifiers import fold

_NOT_OF_POSTGRES = frozenset(
    {"IFNULL", "LCASE", "LEFTPAD", "NVL", "PAD", "RIGHTPAD", "SPLIT_BY_STRING", "UCASE"}
).union(
    ["DATE_TO_DATE_STR", "TIME_TO_TIME_STR", "TS_OR_DS_TO_DATE_STR"],
    ["JSON_EXTRACT", "JSON_EXTRACT_SCALAR", "JSONB_EXTRACT", "JSONB_EXTRACT_SCALAR"],
)


class Dialect(Postgres):
    """sqlglot's, without functions that it takes for another one and that Postgres has none of: such a function is
    somebody's own."""

    class Parser(PostgresParser):
        FUNCTIONS: ClassVar = {
            name: made for name, made in PostgresParser.FUNCTIONS.items() if name not in _NOT_OF_POSTGRES
        }


QUERIES = (exp.Select, exp.SetOperation, exp.DML, exp.Values)
_Type = exp.DType
CAST_TYPES = {
    _Type.TEXT: "text",
    _Type.VARCHAR: "varchar",
    _Type.CHAR: "bpchar",
    _Type.UUID: "uuid",
    _Type.DATE: "date",
    _Type.SMALLINT: "int2",
    _Type.INT: "int4",
    _Type.BIGINT: "int8",
    _Type.DECIMAL: "numeric",
}
"""pg_type's names of some types that a cast may name."""
CAST_TYPES_OF_STAMPS = {_Type.TIMESTAMP: "timestamp", _Type.TIMESTAMPTZ: "timestamptz"}


def read_query(text: str) -> exp.Query | None:
    """One query that is no mapping (a view's, a function's); None when it isn't one."""
    try:
        trees = [tree for tree in sqlglot.parse(text, read=Dialect) if tree is not None]
    except (ParseError, TokenError):
        return None
    if len(trees) != 1 or not isinstance(trees[0], (exp.Select, exp.SetOperation)):
        return None
    with_plain_values(trees[0])
    return trees[0]


def with_plain_values(tree: exp.Expr) -> None:
    """Of VALUES in the place of a SELECT sqlglot makes one from a table `_values`: put the list itself there."""
    for values in list(tree.find_all(exp.Values)):
        alias, clause = values.args.get("alias"), values.parent
        if alias is not None and "start" not in alias.this.meta and isinstance(clause, exp.From) and clause.parent:
            clause.parent.replace(values)


def name_of(identifier: exp.Identifier) -> str:
    return str(identifier.this) if identifier.args.get("quoted") else fold(str(identifier.this))


def offset_of(node: exp.Expr) -> int:
    """Where a node begins: its first name, or that of the nearest node around it that has one."""
    around: exp.Expr | None = node
    while around is not None:
        starts = [found.meta["start"] for found in around.find_all(exp.Identifier) if "start" in found.meta]
        if starts:
            return int(min(starts))
        around = around.parent
    return 0


def is_comma(join: exp.Join) -> bool:
    return not any(join.args.get(part) for part in ("kind", "side", "method", "on", "using"))


def limits_rows(query: exp.Expr) -> bool:
    """LIMIT, OFFSET or FETCH stands at its end."""
    return any(query.args.get(part) is not None for part in ("limit", "offset"))


def is_star(column: exp.Column) -> bool:
    return isinstance(column.this, exp.Star)


def bare(node: exp.Expr) -> exp.Expr:
    while isinstance(node, exp.Paren):
        node = node.this
    return node


def terms(expression: exp.Expr) -> Iterator[exp.Expr]:
    """What must be true for the expression to be true, each condition of an AND by itself."""
    expression = bare(expression)
    inner = null_taken_for_false(expression)
    if inner is not None:
        yield from terms(inner)
    elif isinstance(expression, exp.And):
        yield from terms(expression.this)
        yield from terms(expression.expression)
    else:
        yield expression


def null_taken_for_false(expression: exp.Expr) -> exp.Expr | None:
    """The condition in `condition IS TRUE` and in `coalesce(condition, false)`, which are true just where it is."""
    if isinstance(expression, exp.Is) and not expression.args.get("negate"):
        others = [expression.expression] if _is(expression.expression, truth=True) else []
    else:
        others = expression.expressions if isinstance(expression, exp.Coalesce) else []
        others = others if all(_is(other, truth=False) for other in others) else []
    return expression.this if others else None


def _is(expression: exp.Expr, *, truth: bool) -> bool:
    expression = bare(expression)
    return isinstance(expression, exp.Boolean) and expression.this is truth


def disjuncts(expression: exp.Expr) -> list[exp.Expr]:
    expression = bare(expression)
    if isinstance(expression, exp.Or):
        return [*disjuncts(expression.this), *disjuncts(expression.expression)]
    return [expression]


def items(node: exp.Expr) -> list[exp.Expr]:
    node = bare(node)
    row = isinstance(node, exp.Anonymous) and str(node.this).upper() == "ROW"
    return list(node.expressions) if row or isinstance(node, exp.Tuple) else [node]


def output_name(expression: exp.Expr) -> str | None:
    """The output's name where it is sure; Postgres's names for expressions are left alone."""
    if isinstance(expression, exp.Alias):
        return name_of(expression.args["alias"])
    while isinstance(expression, (exp.Cast, exp.Paren)):
        expression = expression.this
    return name_of(expression.this) if isinstance(expression, exp.Column) else None


def own_windows(query: exp.Select) -> Iterator[exp.Window]:
    waiting: list[exp.Expr] = [*query.expressions]
    waiting += [query.args["order"]] if query.args.get("order") is not None else []
    waiting += [query.args["distinct"]] if query.args.get("distinct") is not None else []
    while waiting:
        node = waiting.pop()
        if isinstance(node, QUERIES):
            continue
        if isinstance(node, exp.Window):
            yield node
        waiting += node.iter_expressions()
