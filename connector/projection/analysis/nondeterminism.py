"""Parts of a mapping that change an order without a row changing: time, chance, and lists in no order.

A value that differs from run to run must not reach the payload: each look would push every order again. In a condition
(a window of ninety days) time only makes orders enter or leave, which a reconcile notices. Where a value goes is
followed through derived tables and CTEs. No I/O.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace

from sqlglot import exp

from connector.model.errors import Problem
from connector.projection.analysis.scopes import Node, Scope, Source
from connector.projection.catalog.tables import Catalog
from connector.projection.sql.identifiers import fold
from connector.projection.sql.mapping import Mapping
from connector.projection.sql.syntax import QUERIES, bare, offset_of

_TIMES = {
    exp.CurrentTimestamp: "now()",
    exp.CurrentDate: "current_date",
    exp.CurrentTime: "current_time",
    exp.Localtime: "localtime",
    exp.Localtimestamp: "localtimestamp",
}
_TIME_NAMES = frozenset({"now", "statement_timestamp", "transaction_timestamp", "clock_timestamp", "timeofday"})
_TIME_WORDS = frozenset({"current_date", "current_time", "current_timestamp", "localtime", "localtimestamp"})
_TIME_LITERALS = frozenset({"now", "today", "tomorrow", "yesterday"})
_CONDITIONS = (exp.Where, exp.Having, exp.Join, exp.Order, exp.Group, exp.Limit, exp.Offset, exp.Distinct)
_CLAUSES = ("where", "having", "order", "group", "limit", "offset", "distinct")
_LISTS = {exp.ArrayAgg: "array_agg", exp.GroupConcat: "string_agg", exp.JSONArrayAgg: "json_agg"}
_LIST_NAMES = frozenset({"jsonb_agg", "json_agg", "array_agg", "string_agg", "xmlagg"})


@dataclass(frozen=True, slots=True)
class _Call:
    scope: Scope
    node: exp.Expr
    name: str
    chance: bool


def nondeterminism_problems(mapping: Mapping, top: Scope, catalog: Catalog) -> tuple[list[Problem], list[Problem]]:
    """What is refused, and what is warned of."""
    refused, warnings = [], []
    calls = list(_calls(top, catalog))
    flow = _ValueFlow(top)
    for call in calls:
        at = _place(mapping, call)
        if call.chance:
            what = f"{call.name} answers anew on each call: the order would differ at every look"
            refused.append(mapping.problem(what, at, "take it from a column instead"))
        elif flow.reaches_payload(call.scope, call.node):
            what = f"{call.name} in the payload: every order would differ at every look"
            refused.append(mapping.problem(what, at, "take the time from a column; in conditions it may stay"))
        else:
            what = f"{call.name} in a condition: as time passes, orders only change at the next reconcile"
            hint = "changes of rows are pushed at once; reconcile.every says how late ageing may show"
            warnings.append(replace(mapping.problem(what, at, hint), warning=True))
    refused += _overlooked(mapping, calls, catalog)
    warnings += [_unordered(mapping, scope, node) for scope, node in _lists(top)]
    return list(dict.fromkeys(refused)), list(dict.fromkeys(warnings))


def _overlooked(mapping: Mapping, calls: list[_Call], catalog: Catalog) -> Iterator[Problem]:
    """Names in the text that the tree didn't show as a call: where they lead isn't known."""
    names = {call.name.removesuffix("()").rpartition(".")[2] for call in calls}
    for name, at in mapping.identifiers.functions.items():
        if name in (catalog.functions.volatile | _TIME_NAMES) and name not in names:
            what = f"where {name}() leads can't be told: it may make orders differ at every look"
            yield mapping.problem(what, at, "take it from a column instead, or call it in a plain condition")


def _calls(top: Scope, catalog: Catalog) -> Iterator[_Call]:
    for scope in top.all_scopes():
        if scope.self_join:
            continue
        for node in own_nodes(scope.select):
            found = _nondeterministic(node, catalog)
            if found is not None:
                yield _Call(scope, node, *found)


def _nondeterministic(node: exp.Expr, catalog: Catalog) -> tuple[str, bool] | None:
    """The name of a time or chance, and whether it is chance."""
    if isinstance(node, exp.Rand):
        return "random()", True
    if isinstance(node, exp.Uuid):
        return "gen_random_uuid()", True
    for kind, name in _TIMES.items():
        if isinstance(node, kind):
            return name, False
    if isinstance(node, exp.Anonymous):
        name = fold(str(node.this))
        if name in _TIME_NAMES or (name == "age" and len(node.expressions) == 1):
            return f"{name}()", False
        return (f"{name}()", True) if name in catalog.functions.volatile else None
    if isinstance(node, exp.Cast) and isinstance(bare(node.this), exp.Literal):
        text = str(bare(node.this).this).strip().lower()
        return (
            (f"'{text}'", False) if text in _TIME_LITERALS and node.to.is_type(*exp.DataType.TEMPORAL_TYPES) else None
        )
    return None


def own_nodes(query: exp.Expr) -> Iterator[exp.Expr]:
    """The nodes of a query without those of the queries in it."""
    waiting = list(query.iter_expressions())
    while waiting:
        node = waiting.pop()
        if not isinstance(node, QUERIES):
            yield node
            waiting += node.iter_expressions()


class _ValueFlow:
    """Where the value of an expression goes."""

    def __init__(self, top: Scope) -> None:
        self._top = top
        self._scopes = [scope for scope in top.all_scopes() if not scope.self_join]
        self._seen: set[tuple[Scope, int]] = set()

    def reaches_payload(self, scope: Scope, node: exp.Expr) -> bool:
        """True when the value may become part of a row of the mapping, other than by a condition on it."""
        here: exp.Expr | None = node
        while here is not None and here is not scope.select:
            if isinstance(here, (exp.Table, exp.Lateral, exp.Unnest)):
                # A function in FROM: its columns aren't followed.
                return True
            if isinstance(here, (exp.Predicate, *_CONDITIONS)):
                return False
            if here.parent is scope.select:
                break
            here = here.parent
        if here is None or here.arg_key != "expressions":
            return here is None or here.arg_key not in _CLAUSES
        number = next(
            (n for n, o in enumerate(scope.outputs) if o.expression is not None and _holds(here, o.expression)), None
        )
        return number is None or self._output(scope, number)

    def _output(self, scope: Scope, number: int) -> bool:
        if (scope, number) in self._seen:
            return False
        self._seen.add((scope, number))
        try:
            return self._read(scope, number)
        finally:
            self._seen.discard((scope, number))

    def _read(self, scope: Scope, number: int) -> bool:
        if scope is self._top:
            return True
        holder = scope.holder
        if holder is None:
            return scope.parent is None or self.reaches_payload(scope.parent, scope.select)
        if holder.scope.alternatives:
            return self._output(holder.scope, number)
        if holder not in holder.scope.sources:
            return False
        readers = [holder, *(s for each in self._scopes for s in each.sources if s.work_table is scope)]
        return any(self._column((source, number)) for source in readers)

    def _column(self, node: Node) -> bool:
        source: Source = node[0]
        if any(source in scope.whole_rows and not _star_of(scope, source) for scope in self._scopes):
            return True
        for scope in self._scopes:
            for column in own_nodes(scope.select):
                if scope.references.get(id(column)) == node and self.reaches_payload(scope, column):
                    return True
            if any(
                o.expression is None and o.node == node and self._output(scope, n) for n, o in enumerate(scope.outputs)
            ):
                return True
        return False


def _star_of(scope: Scope, source: Source) -> bool:
    """The source is read as a whole only by a star in the select list, whose columns are outputs."""
    return any(output.expression is None and output.node and output.node[0] is source for output in scope.outputs)


def _holds(selected: exp.Expr, expression: exp.Expr) -> bool:
    return selected is expression or (isinstance(selected, exp.Alias) and selected.this is expression)


def _lists(top: Scope) -> Iterator[tuple[Scope, exp.Expr]]:
    for scope in top.all_scopes():
        if scope.self_join or _ordered_source(scope):
            continue
        for node in own_nodes(scope.select):
            if _list_name(node) is None or isinstance(node.parent, exp.WithinGroup):
                continue
            first = node.expressions[0] if isinstance(node, exp.Anonymous) and node.expressions else node.this
            if not isinstance(first, (exp.Order, exp.Distinct)):
                yield scope, node


def _list_name(node: exp.Expr) -> str | None:
    if isinstance(node, exp.Anonymous):
        name = fold(str(node.this))
        return name if name in _LIST_NAMES else None
    return next((name for kind, name in _LISTS.items() if isinstance(node, kind)), None)


def _ordered_source(scope: Scope) -> bool:
    """Rows come from one ordered subquery: its order is kept."""
    inner = scope.sources[0].inner if len(scope.sources) == 1 else None
    return inner is not None and inner.select.args.get("order") is not None and scope.grouping is None


def _unordered(mapping: Mapping, scope: Scope, node: exp.Expr) -> Problem:
    at = _start(scope, node)
    what = f"{_list_name(node)} without ORDER BY: a list whose objects have no ids may differ from run to run"
    return replace(mapping.problem(what, at, "write ORDER BY inside the parentheses"), warning=True)


def _place(mapping: Mapping, call: _Call) -> int:
    word = mapping.words(_TIME_WORDS).get(call.name) if call.scope.view is None else None
    known = "start" in call.node.meta or word is None
    return _start(call.scope, call.node) if known or word is None else word


def _start(scope: Scope, node: exp.Expr) -> int:
    if scope.view is not None:
        return scope.at
    start = node.meta.get("start")
    return int(start) if start is not None else offset_of(node)
