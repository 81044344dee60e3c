"""What an expression in a condition stands for: a column, or an immutable expression over columns of one source; one of
several of these; and the arrays whose elements are meant. No I/O."""

from __future__ import annotations

from sqlglot import exp

from connector.projection.analysis.nodes import below, column_of
from connector.projection.analysis.scopes import Computed, Element, Key, Node, Scope, Source
from connector.projection.analysis.values.forms import read
from connector.projection.analysis.values.terms import Term
from connector.projection.catalog.columns import unites, widened
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
    key = _key(term)
    return _compared(term.source, key) if isinstance(key, Computed) else (term.source, key)


def picked_by(scope: Scope, expression: exp.Expr) -> Node | None:
    """The column of which max or min gives the value that one row has, in the order of the type or of its collation."""
    expression = bare(expression)
    expression = bare(expression.this) if isinstance(expression, exp.Filter) else expression
    if not isinstance(expression, (exp.Max, exp.Min)) or expression.expressions or expression.key in scope.overloaded:
        return None
    node = _column(scope, expression.this)
    if node is None or node[0].scope is not scope:
        return None  # over a column of the query around, whose rows it puts together then
    column = column_of(node)
    return node if column is not None and column.type_schema == "pg_catalog" and column.type[0] != "_" else None


def _column(scope: Scope, expression: exp.Expr) -> Node | None:
    expression = bare(expression)
    if not isinstance(expression, exp.Cast):
        return scope.references.get(id(expression))
    node, target = _column(scope, expression.this), expression.to
    column = column_of(node) if node is not None else None
    cast = CAST_TYPES.get(target.this) if not target.expressions else None
    return node if column is not None and cast is not None and widened(column, cast) else None


def _key(term: Term) -> Key:
    if term.sql == "{0}":
        return term.keys[0]
    sql = f"({term.sql})" if term.cast else term.sql
    return Computed(term.keys, sql, term.type, term.strict, term.indexable)


def possible(scope: Scope, expression: exp.Expr) -> list[Node] | None:
    """The columns (or expressions over columns) one of which the expression gives wherever it isn't NULL; None when it
    may give something else."""
    # An index on one of the columns is likelier than one on `coalesce` of them, and serves more.
    apart = _apart(scope, expression) if not _is_indexed(scope, expression) else None
    if apart is not None:
        return apart
    node = value_of(scope, expression)
    return [node] if node is not None else None


def _is_indexed(scope: Scope, expression: exp.Expr) -> bool:
    """True when an index serves the expression as a whole."""
    term = read(scope, expression)
    table = term.source.table if term is not None and term.source is not None else None
    if term is None or term.source is None or table is None:
        return False
    column = column_of((term.source, _key(term)))
    return column is not None and table.serves([column.indexed_as])


def _apart(scope: Scope, expression: exp.Expr) -> list[Node] | None:
    """The same, of an expression that gives one of several."""
    results = _results(bare(expression))
    if results is None:
        return None
    found = [possible(scope, result) for result in results]
    nodes = list(dict.fromkeys(each for nodes in found for each in nodes or ()))
    columns = [column for each in nodes if (column := column_of(each)) is not None]
    sure = all(each is not None for each in found) and len(columns) == len(nodes)
    return nodes if sure and (not columns or unites(columns)) else None


def _results(expression: exp.Expr) -> list[exp.Expr] | None:
    """The expressions one of which is the value; NULL is left out. None for any other expression."""
    if isinstance(expression, exp.Null):
        return []
    if isinstance(expression, (exp.Coalesce, exp.Greatest, exp.Least)):
        return [expression.this, *expression.expressions]
    if isinstance(expression, exp.Case):
        default = expression.args.get("default")
        return [*(each.args["true"] for each in expression.args["ifs"]), *([default] if default is not None else [])]
    if isinstance(expression, exp.Nullif):
        return [expression.this]
    if isinstance(expression, exp.Any) and isinstance(bare(expression.this), exp.Array):
        return list(bare(expression.this).expressions)
    return None


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
