"""What an expression in a condition stands for: a column, or an immutable expression over columns of one source.

No I/O."""

from __future__ import annotations

from sqlglot import exp

from connector.projection.analysis.scopes import Computed, Node, Scope, Source, below, column_of
from connector.projection.catalog.columns import has_plain_text, widened
from connector.projection.sql.syntax import CAST_TYPES, bare


def value_of(scope: Scope, expression: exp.Expr) -> Node | None:
    """The column that an expression is, also under casts that keep its value; or the expression over columns."""
    expression = bare(expression)
    if isinstance(expression, exp.Cast):
        return _cast(scope, expression)
    return scope.references.get(id(expression))


def _cast(scope: Scope, expression: exp.Cast) -> Node | None:
    node, target = value_of(scope, expression.this), expression.to
    column = column_of(node) if node is not None else None
    cast = CAST_TYPES.get(target.this) if not target.expressions else None
    if node is None or column is None or cast is None:
        return None
    if widened(column, cast):
        return node
    if cast not in ("text", "varchar") or not has_plain_text(column) or isinstance(node[1], Computed):
        return None
    return _compared(node[0], Computed((node[1],), "{0}::text", "text"))


def _compared(source: Source, key: Computed) -> Node:
    """Note that a condition compares the expression, here and in every derived table that passes its columns on."""
    source.computed.add(key)
    if source.work_table is not None:
        _compared(source.work_table.sources[0], key)
    for inner, same in below(source, key):
        assert isinstance(same, Computed)  # noqa: S101  # what `below` gives
        _compared(inner, same)
    return source, key
