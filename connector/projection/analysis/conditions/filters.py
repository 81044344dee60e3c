"""The constant conditions on single columns that a term of an AND states: `deleted_at IS NULL`, `kind = 'x'`,
`kind IN ('x', 'y')`, `active`. No I/O."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from sqlglot import exp

from connector.projection.analysis.nodes import column_of
from connector.projection.analysis.scopes import Computed, Filter, Node, Region, Scope
from connector.projection.analysis.values.values import value_of
from connector.projection.catalog.column_filters import constant_of
from connector.projection.catalog.columns import INTEGERS, NUMBERS, Column
from connector.projection.sql.syntax import CAST_TYPES, bare, items, name_of


def filters_of(scope: Scope, term: exp.Expr, guard: tuple[Region, ...]) -> list[Filter]:
    """None for a term that is no such condition, or of which it isn't sure what it lets through."""
    term, negated = bare(term), False
    while isinstance(term, exp.Not):
        term, negated = bare(term.this), not negated
    if isinstance(term, exp.Is) and isinstance(bare(term.expression), exp.Null):
        return _nullness(scope, term, guard, negated=negated)
    if isinstance(term, exp.Is) and isinstance(bare(term.expression), exp.Boolean):
        # What is NULL passes IS NOT TRUE.
        yes_or_no = not negated and not term.args.get("negate")
        return _among(scope, term.this, [bare(term.expression)], guard) if yes_or_no else []
    if isinstance(term, exp.EQ) and not negated:
        return [found for one, other in _sides(term) for found in _equal(scope, one, other, guard)]
    if isinstance(term, exp.In) and not negated and term.expressions:
        return _among(scope, term.this, term.expressions, guard)
    if isinstance(term, exp.Column):
        return _among(scope, term, [exp.Boolean(this=not negated)], guard)
    return []


def _nullness(scope: Scope, term: exp.Is, guard: tuple[Region, ...], *, negated: bool) -> list[Filter]:
    node = value_of(scope, term.this)
    column = column_of(node) if node is not None else None
    # A row that is a value may be neither NULL nor NOT NULL.
    if node is None or column is None or not (column.is_enum or column.type_schema == "pg_catalog"):
        return []
    if bool(term.args.get("negate")) != negated:
        return [Filter(node, "not null", (), guard)]
    return [] if isinstance(node[1], Computed) else [Filter(node, "null", (), guard)]


def _sides(term: exp.EQ) -> Iterator[tuple[exp.Expr, exp.Expr]]:
    ours, theirs = items(term.this), items(term.expression)
    if len(ours) == len(theirs):
        yield from zip(ours, theirs, strict=True)


def _equal(scope: Scope, one: exp.Expr, other: exp.Expr, guard: tuple[Region, ...]) -> list[Filter]:
    if isinstance(other, exp.Any):
        # `ANY (ARRAY[...])` is how Postgres prints the IN of a view.
        array = bare(other.this)
        cast = array.to if isinstance(array, exp.Cast) else None
        array = bare(array.this) if isinstance(array, exp.Cast) else array
        return _among(scope, one, array.expressions, guard, cast) if isinstance(array, exp.Array) else []
    return _among(scope, one, [other], guard) or _among(scope, other, [one], guard)


def _among(
    scope: Scope,
    written: exp.Expr,
    values: Sequence[exp.Expr],
    guard: tuple[Region, ...],
    array: exp.DataType | None = None,
) -> list[Filter]:
    """`array`: the type that all of the values are cast to, as one array."""
    node = _plain(scope, written)
    column = column_of(node) if node is not None else None
    if node is None or column is None or not values or ("=" in scope.overloaded and column.type != "bool"):
        return []
    # `=` is never true for NULL.
    texts = [_constant(column, value) for value in values if not isinstance(bare(value), exp.Null)]
    if array is not None:
        each = array.expressions[0] if array.this == exp.DType.ARRAY and array.expressions else array
        texts = [_cast(column, text, each) for text in texts]
    known = [text for text in texts if text is not None]
    if not known or len(known) < len(texts):
        return []
    if column.type == "bool" and len(set(known)) > 1:
        return [Filter(node, "not null", (), guard)]
    return [Filter(node, "among", tuple(dict.fromkeys(known)), guard)]


def _plain(scope: Scope, expression: exp.Expr) -> Node | None:
    node = value_of(scope, expression)
    return None if node is None or isinstance(node[1], Computed) else node


def _constant(column: Column, value: exp.Expr) -> str | None:
    value = bare(value)
    if isinstance(value, exp.Cast):
        return _cast(column, _constant(column, value.this), value.to)
    if isinstance(value, exp.Boolean):
        return constant_of(column, "t" if value.this else "f", is_string=False) if column.type == "bool" else None
    if isinstance(value, exp.Neg):
        number = bare(value.this)
        positive = isinstance(number, exp.Literal) and not number.is_string
        return constant_of(column, f"-{number.this}", is_string=False) if positive else None
    if isinstance(value, exp.Literal):
        return constant_of(column, str(value.this), is_string=bool(value.is_string))
    return None


def _cast(column: Column, text: str | None, to: exp.DataType) -> str | None:
    # A cast to an integer rounds.
    rounded = text is not None and "." in text and CAST_TYPES.get(to.this) in INTEGERS
    return text if _keeps(column, to) and not rounded else None


def _keeps(column: Column, to: exp.DataType) -> bool:
    """True when a cast of a constant to the type leaves it as the column's own type has it."""
    if column.is_enum:
        return to.this == exp.DType.USERDEFINED and _names(column, to.args.get("kind"))
    cast = CAST_TYPES.get(to.this)
    if to.expressions or column.type_schema != "pg_catalog":
        return False
    if column.type in NUMBERS:
        return cast in NUMBERS
    if column.type == "bpchar" and to.this == exp.DType.BPCHAR:
        return True
    if column.type in ("text", "varchar", "bpchar"):
        return cast in ("text", "varchar")
    return cast == column.type or (column.type == "bool" and to.this == exp.DType.BOOLEAN)


def _names(column: Column, kind: exp.Expr | None) -> bool:
    """True when the type's name, with a schema or without, is that of the column's."""
    if isinstance(kind, exp.Dot) and isinstance(kind.this, exp.Identifier):
        return name_of(kind.this) == column.type_schema and _names(column, kind.expression)
    return isinstance(kind, exp.Identifier) and name_of(kind) == column.type
