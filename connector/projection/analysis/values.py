"""What an expression in a condition stands for: a column, or an immutable expression over columns of one source; and
the arrays whose elements are meant.

No I/O."""

from __future__ import annotations

from sqlglot import exp

from connector.projection.analysis.forms import read
from connector.projection.analysis.scopes import Computed, Element, Key, Node, Scope, Source, below, column_of
from connector.projection.catalog.columns import widened
from connector.projection.catalog.elements import element
from connector.projection.sql.syntax import CAST_TYPES, bare


def value_of(scope: Scope, expression: exp.Expr) -> Node | None:
    """The column that an expression is, also under casts that keep its value; or the expression over columns."""
    column = _column(scope, expression)
    if column is not None:
        return column
    term = read(scope, expression)
    if term is None or term.source is None:
        return None
    if term.sql == "{0}":
        return term.source, term.keys[0]
    sql = f"({term.sql})" if term.cast else term.sql
    return _compared(term.source, Computed(term.keys, sql, term.type, term.strict, term.indexable))


def _column(scope: Scope, expression: exp.Expr) -> Node | None:
    expression = bare(expression)
    if not isinstance(expression, exp.Cast):
        return scope.references.get(id(expression))
    node, target = _column(scope, expression.this), expression.to
    column = column_of(node) if node is not None else None
    cast = CAST_TYPES.get(target.this) if not target.expressions else None
    return node if column is not None and cast is not None and widened(column, cast) else None


def element_of(scope: Scope, array: exp.Expr, kind: str, at: int, alias: str = "", column: str = "") -> Source | None:
    """A source whose rows are the elements of an array; None when the expression is none whose elements we follow."""
    node = value_of(scope, array)
    whole = column_of(node) if node is not None else None
    if node is None or whole is None or element(whole, kind) is None:
        return None
    # More columns may stand beside it: WITH ORDINALITY.
    made = Source(alias, scope, at, columns={column: 0}, open=True, element=Element(node, kind))
    _listed(made, *node)
    return made


def _listed(made: Source, source: Source, key: Key) -> None:
    """Note the array's elements, here and in every derived table that passes the array on."""
    source.elements.append((made, key))
    for inner, same in below(source, key):
        _listed(made, inner, same)


def _compared(source: Source, key: Computed) -> Node:
    """Note that a condition compares the expression, here and in every derived table that passes its columns on."""
    source.computed.add(key)
    if source.work_table is not None:
        _compared(source.work_table.sources[0], key)
    for inner, same in below(source, key):
        if isinstance(same, Computed):
            _compared(inner, same)
    return source, key
