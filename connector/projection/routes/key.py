"""The order key: which uses carry it, and that every scope between it and the top keeps orders apart.

No I/O; must not know routes or the rewriting.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import combinations

from sqlglot import exp

from connector.model.errors import Problem
from connector.projection.analysis.coupling import coupling, shown
from connector.projection.analysis.scopes import Node, Output, Scope, Source
from connector.projection.catalog.columns import Column
from connector.projection.catalog.tables import Table
from connector.projection.routes.equivalence import exclusive
from connector.projection.sql.mapping import Mapping
from connector.projection.sql.syntax import offset_of

_HINT = "say which: add a line  -- order_key: schema.table(column)"


@dataclass(frozen=True, slots=True)
class KeyUse:
    """The use whose columns are the order key."""

    use: Source
    table: Table
    columns: tuple[Column, ...]

    @property
    def names(self) -> tuple[str, ...]:
        return tuple(column.name for column in self.columns)

    def nodes(self) -> list[Node]:
        return [(self.use, name) for name in self.names]


def find_key(mapping: Mapping, top: Scope) -> tuple[list[KeyUse], list[Problem]]:
    """The key-bearing uses (one, or one for each branch of a set operation, all of one table), and the problems:
    without uses they say why there are none."""
    found = _declared_key(mapping, top) if mapping.order_key() else _traced_key(mapping, top)
    if isinstance(found, Problem):
        return [], [found]
    problems = [problem for key in found for problem in _scope_problems(mapping, top, key)]
    return found, [*_type_problems(mapping, found[0]), *problems]


def coupled_by_windows(top: Scope, keys: Sequence[KeyUse]) -> frozenset[int]:
    """Identities of the SELECTs above a key whose windows or DISTINCT ON put several orders together: `resolve` has to
    read those twice."""
    found = set()
    for key in keys:
        for scope, nodes in _upwards(key):
            sees = scope.partitions or scope.distinct_on is not None
            if sees and not scope.limited and any(_coupled(scope, same) for same in nodes):
                found.add(id(scope.select))
    return frozenset(found)


def _coupled(scope: Scope, nodes: set[Node]) -> bool:
    return all(coupling(scope, node) is not None for node in _candidates(scope, nodes))


def _traced_key(mapping: Mapping, top: Scope) -> list[KeyUse] | Problem:
    output = next((output for output in top.outputs if output.name == "id"), None)
    if output is None:
        return mapping.problem("there is no output column id", top.at, "select the order's id AS id")
    leaves = _leaves(top, output)
    at = _place(output, top)
    uses = list(dict.fromkeys(source for source, _ in leaves)) if leaves is not None else []
    if not uses:
        if any(scope.alternatives for scope in top.all_scopes()):
            what = "id can't be traced to a table's columns through the union"
            hint = (
                "let each branch give the key as a plain column at the same place, and compute id around the union: "
                "SELECT 'A' || u.key AS id FROM (SELECT o.key ... UNION ALL SELECT o.key ...) u"
            )
            return mapping.problem(what, at, hint)
        return mapping.problem("id can't be traced to a table's columns", at, _HINT)
    names = {use.table.name for use in uses if use.table}
    if len(names) > 1 or not all(exclusive(one.scope, other.scope) for one, other in combinations(uses, 2)):
        listed = ", ".join(sorted(map(str, names)))
        if len(names) > 1 and all(exclusive(one.scope, other.scope) for one, other in combinations(uses, 2)):
            hint = "the key must be one table's: run a connector for each, or follow one table and join the other to it"
            return mapping.problem(f"the branches take id from different tables: {listed}", at, hint)
        return mapping.problem(f"id comes from several tables: {listed}", at, _HINT)
    table = uses[0].table
    if table is None or not table.primary_key:
        name = table.name if table else uses[0].alias
        return mapping.problem(f"id comes from {name}, which has no primary key", at, _HINT)
    return [KeyUse(use, table, tuple(table.columns[name] for name in table.primary_key)) for use in uses]


def _leaves(scope: Scope, output: Output) -> dict[Node, None] | None:
    """The base columns that an output is computed from; None when a subquery, an aggregate or a function's column is in
    it. Of a set operation: those of all branches."""
    if output.nodes or scope.alternatives:
        return _all_below(output.nodes)
    if output.expression is None or output.expression.find(exp.Query, exp.AggFunc, exp.Window) is not None:
        return None
    nodes = [scope.references.get(id(column)) for column in output.expression.find_all(exp.Column)]
    return _all_below(nodes)


def _all_below(nodes: Sequence[Node | None]) -> dict[Node, None] | None:
    found: dict[Node, None] = {}
    for node in nodes:
        below = _below(node) if node is not None else None
        if below is None:
            return None
        found |= below
    return found if nodes else None


def _below(node: Node) -> dict[Node, None] | None:
    source, key = node
    if source.work_table is not None:
        # The round before gave it unchanged, and in the end the first branch did.
        return {}
    if source.inner is None:
        return {node: None} if source.table is not None else None
    return _leaves(source.inner, source.inner.outputs[int(str(key))])


def _declared_key(mapping: Mapping, top: Scope) -> list[KeyUse] | Problem:
    written = mapping.order_key()
    assert written is not None  # noqa: S101  # asked by find_key
    name, columns, at = written
    uses = [source for source in _lineage(top) if source.table is not None and source.table.name == name]
    if len(uses) != 1:
        what = "is not read in the mapping's FROM" if not uses else "is read more than once in the mapping's FROM"
        return mapping.problem(f"order_key: {name} {what}", at, "the key must come from one table read once")
    table = uses[0].table
    missing = [column for column in columns if table is None or column not in table.columns]
    if table is None or missing:
        hint = "name columns of it, as the database spells them"
        return mapping.problem(f"order_key: {name} has no column {missing[0]}", at, hint)
    return [KeyUse(uses[0], table, tuple(table.columns[column] for column in columns))]


def _lineage(scope: Scope) -> Iterator[Source]:
    for source in scope.sources:
        yield source
        if source.inner is not None:
            yield from _lineage(source.inner)


def _type_problems(mapping: Mapping, key: KeyUse) -> list[Problem]:
    hint = (
        "keys are integers, text, uuid, numeric with a scale, dates, time stamps or enums, in a deterministic collation"
    )
    return [
        mapping.problem(f"{key.table.name}.{column.name} of type {column.type} can't be an order key", key.use.at, hint)
        for column in key.columns
        if not column.faithful()
    ]


def _scope_problems(mapping: Mapping, top: Scope, key: KeyUse) -> list[Problem]:
    """Scopes on the way up that would mix orders, or answer otherwise when only some keys are asked for."""
    if top.limited or any(leaf.limited for leaf in top.leaves()):
        hint = "leave it out; WHERE says which orders there are"
        return [mapping.problem("LIMIT, OFFSET or FETCH at the top would leave orders out", top.at, hint)]
    problems = []
    for scope, nodes in _upwards(key):
        for name, same in zip(key.names, nodes, strict=True):
            problem = _mixed(mapping, scope, name, same, key)
            if problem is not None:
                problems.append(problem)
    return problems


def _upwards(key: KeyUse) -> Iterator[tuple[Scope, list[set[Node]]]]:
    """Each scope from the key's to the top, with the columns there that each key column comes out as."""
    scope: Scope | None = key.use.scope
    nodes = [{node} for node in key.nodes()]
    while scope is not None:
        yield scope, nodes
        holder = scope.holder
        if holder is not None:
            nodes = [
                {(holder, number) for number, output in enumerate(scope.outputs) if same & set(output.nodes)}
                for same in nodes
            ]
        scope = scope.parent


def _with_equals(scope: Scope, nodes: set[Node]) -> set[Node]:
    """Columns that equal one of the nodes on every row of the scope, before anything is grouped or numbered."""
    grown = set(nodes)
    for _ in scope.conditions:
        for condition in scope.conditions:
            if not condition.guard and grown & {condition.left, condition.right}:
                grown |= {condition.left, condition.right}
    return grown


def _candidates(scope: Scope, nodes: set[Node]) -> Sequence[Node | None]:
    """The columns of a scope that are the key's. None: it isn't among those that the scope below lets out, so no window
    can be partitioned by it."""
    found = sorted(_with_equals(scope, nodes), key=lambda node: (node not in nodes, shown(node)))
    return found or [None]


def _mixed(mapping: Mapping, scope: Scope, name: str, nodes: set[Node], key: KeyUse) -> Problem | None:
    table = key.table.name
    reasons = [coupling(scope, node) for node in _candidates(scope, nodes)]
    reason = None if None in reasons else reasons[0]
    if reason is not None:
        what = f"{reason.why}: orders can't be read one by one by {table}.{name}"
        rewrite = "leave it out; WHERE says which orders there are" if scope.limited else reason.rewrite
        return mapping.problem(what, reason.at, rewrite)
    if scope.grouping is not None and not (nodes & scope.grouping) and not _grouped(scope, key):
        hint = f"add {key.use.alias}.{name} to GROUP BY"
        return mapping.problem(f"the rows are not grouped by the order key {table}.{name}", scope.at, hint)
    if scope.distinct and not _shown(scope, nodes):
        hint = f"select {table}.{name} too, or leave DISTINCT out"
        return mapping.problem(f"DISTINCT may merge orders: {table}.{name} is not among its columns", scope.at, hint)
    return None


def _grouped(scope: Scope, key: KeyUse) -> bool:
    """True when the whole primary key is grouped by: Postgres then lets every other column of the row out."""
    primary = {(key.use, column) for column in key.table.primary_key}
    return bool(primary) and primary <= (scope.grouping or frozenset())


def _shown(scope: Scope, nodes: set[Node]) -> bool:
    for output in scope.outputs:
        expression = output.expression
        if isinstance(expression, exp.Cast) and expression.is_type("text"):
            expression = expression.this
        if nodes & set(output.nodes) or (expression is not None and scope.references.get(id(expression)) in nodes):
            return True
    return False


def _place(output: Output, scope: Scope) -> int:
    placed = output.expression is not None and scope.view is None
    return offset_of(output.expression) if placed and output.expression is not None else scope.at
