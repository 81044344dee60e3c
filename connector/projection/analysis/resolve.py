"""From the parsed mapping to scopes: what every name in it means.

What this module can't say for sure becomes a problem with its place; it never guesses. A view's text is read as if it
stood in the mapping, in parentheses; its problems are placed where the mapping names the view. No I/O.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Set
from dataclasses import replace

from sqlglot import exp

from connector.model.changes import TableName
from connector.model.errors import Problem
from connector.projection.analysis.clauses import Clauses
from connector.projection.analysis.coupling import coupling
from connector.projection.analysis.expressions import Expressions
from connector.projection.analysis.from_clause import FromClause
from connector.projection.analysis.names import Cte, Env
from connector.projection.analysis.nodes import column_of, surely_there
from connector.projection.analysis.scopes import (
    Alternative,
    Choice,
    Condition,
    Node,
    Output,
    Scope,
    Source,
)
from connector.projection.catalog.columns import Column, unites, widened
from connector.projection.catalog.tables import Catalog, View
from connector.projection.sql.mapping import Mapping
from connector.projection.sql.syntax import CAST_TYPES, QUERIES, bare, limits_rows, name_of, offset_of

_KNOWN = {"offset", "operation_modifiers"}.union(
    ["with_", "expressions", "from_", "joins", "where", "group", "having", "windows", "distinct", "order", "limit"]
)
_KNOWN_OF_SETS = {"this", "expression", "distinct", "with_", "order", "limit", "offset"}
_KNOWN_OF_PARENTHESES = {"this", "alias", "joins", "order", "limit", "offset"}
_INSTEAD = {"with_": "write WITH inside of the parentheses, or at the beginning"}
_NAMES = {"locks": "FOR UPDATE and FOR SHARE are", "into": "SELECT INTO is", "with_": "WITH around parentheses is"}


def resolve(
    mapping: Mapping, catalog: Catalog, swept: Set[TableName] = frozenset(), self_joins: Set[int] = frozenset()
) -> tuple[Scope, list[Problem]]:
    """The mapping's top scope, and every problem found on the way. `swept`: tables that need no route. `self_joins`:
    identities of the SELECTs whose windows (or DISTINCT ON) put rows of several orders together."""
    resolver = MappingResolver(mapping, catalog, swept, self_joins)
    top = resolver.scope(mapping.select, None, None, {})
    for cte in mapping.select.find_all(exp.CTE):
        if id(cte) not in resolver.read_ctes:
            resolver.note(f"the CTE {cte.alias} is never read", cte, "remove it")
    return top, list(dict.fromkeys(resolver.problems))


class MappingResolver:
    """Builds scopes; each of them anew wherever its text is read. Satisfies the port `Resolver`."""

    def __init__(self, mapping: Mapping, catalog: Catalog, swept: Set[TableName], self_joins: Set[int]) -> None:
        self.mapping = mapping
        self.catalog = catalog
        self.swept = swept
        self.problems: list[Problem] = []
        self.read_ctes: set[int] = set()
        self._self_joins = self_joins
        self._views: list[tuple[TableName, int]] = []

    def note(self, what: str, at: exp.Expr, hint: str = "") -> None:
        inside = f" (in view {self._views[-1][0]})" if self._views else ""
        self.problems.append(self.mapping.problem(what + inside, self.at(at), hint))

    def at(self, node: exp.Expr) -> int:
        """Where the node stands in the mapping; what stands in a view is where the mapping names the view."""
        return self._views[0][1] if self._views else offset_of(node)

    # queries

    def scope(self, query: exp.Expr, parent: Scope | None, env: Env | None, ctes: dict[str, Cte]) -> Scope:
        """Build one query. What can't be read becomes a problem and an empty scope."""
        limited = False
        while isinstance(query, exp.Subquery) and isinstance(query.this, (exp.Subquery, *QUERIES)):
            self._refuse_parts(query, _KNOWN_OF_PARENTHESES)
            limited = limited or limits_rows(query)
            query = query.this
        if isinstance(query, exp.SetOperation):
            scope = self._set_operation(query, parent, env, ctes, None)
        elif isinstance(query, exp.Select):
            scope = self._select(query, parent, env, ctes)
            if id(query) in self._self_joins:
                self._add_self_joins(query, scope, env, ctes)
        else:
            what, hint = f"{query.key.upper()} is not supported", "write SELECT: a mapping only reads"
            if isinstance(query, exp.Values):
                what = "VALUES is supported only in FROM, and as a whole CTE"
                hint = "write SELECT ..., or SELECT ... UNION ALL SELECT ... for several rows"
            self.note(what, query, hint)
            scope = self._new(exp.Select(), None, query)
            scope.outputs.append(Output(None, unknown=True))
        scope.limited = scope.limited or limited
        return scope

    def cte(self, cte: Cte, parent: Scope) -> Scope:
        name = name_of(cte.node.args["alias"].this)
        if not (cte.recursive and _reads(cte.node.this, name)):
            return self.scope(cte.node.this, parent, cte.env, cte.ctes)
        query: exp.Expr = cte.node.this
        while isinstance(query, exp.Subquery):
            query = query.this
        if not isinstance(query, exp.Union):
            self.note(
                "a recursive CTE is a UNION", cte.node, "write WITH RECURSIVE x AS (SELECT ... UNION SELECT ... FROM x)"
            )
            return self._new(exp.Select(), parent, cte.node)
        return self._set_operation(query, parent, cte.env, cte.ctes, cte)

    def view(self, view: View, node: exp.Table, parent: Scope) -> Scope:
        self._views.append((view.name, self.at(node)))
        try:
            scope = self.scope(view.tree, parent, None, {})
        finally:
            self._views.pop()
        if len(scope.outputs) == len(view.columns):
            for output, name in zip(scope.outputs, view.columns, strict=True):
                output.name = name
        return scope

    def _new(self, query: exp.Query, parent: Scope | None, place: exp.Expr, *, alternatives: bool = False) -> Scope:
        view = self._views[-1][0] if self._views else None
        overloaded = self.catalog.functions.overloaded
        scope = Scope(query, parent, self.at(place), view=view, alternatives=alternatives, overloaded=overloaded)
        if parent is not None:
            parent.children.append(scope)
        return scope

    def _select(self, query: exp.Select, parent: Scope | None, env: Env | None, ctes: dict[str, Cte]) -> Scope:
        scope = self._new(query, parent, query)
        self._refuse_parts(query, _KNOWN)
        expressions = Expressions(self, scope, self._ctes(query, env, ctes))
        groups = FromClause(expressions).read(query, env)
        Clauses(expressions).read(query, Env(groups, env))
        return scope

    def _ctes(self, query: exp.Query, env: Env | None, ctes: dict[str, Cte]) -> dict[str, Cte]:
        clause = query.args.get("with_")
        if clause is None:
            return ctes
        recursive = bool(clause.args.get("recursive"))
        if clause.args.get("search") is not None:
            self.note(
                "SEARCH and CYCLE are not supported", clause, "order by a column of the rows; UNION ends at cycles"
            )
        if recursive:
            # Each of them may be named before it comes.
            ctes = {**ctes, **{name_of(c.args["alias"].this): Cte(c, env, {}, later=True) for c in clause.expressions}}
        for cte in clause.expressions:
            # A copy for each: a CTE sees only those before it.
            ctes = {**ctes, name_of(cte.args["alias"].this): Cte(cte, env, dict(ctes), recursive=recursive)}
        return ctes

    def _refuse_parts(self, query: exp.Expr, known: set[str]) -> None:
        for name, value in query.args.items():
            if value and name not in known:
                self.note(
                    f"{_NAMES.get(name, f'{name.upper()} is')} not supported in a mapping",
                    query,
                    _INSTEAD.get(name, "leave it out"),
                )

    # set operations

    def _set_operation(
        self, query: exp.SetOperation, parent: Scope | None, env: Env | None, ctes: dict[str, Cte], cte: Cte | None
    ) -> Scope:
        """One scope for the operation and one for each branch. With `cte`: it is that recursive CTE's."""
        scope = self._new(query, parent, query, alternatives=True)
        scope.recursive = cte is not None
        self._refuse_parts(query, _KNOWN_OF_SETS)
        ctes = self._ctes(query, env, ctes)
        for side in (query.this, query.expression):
            if cte is not None and scope.sources:
                ctes = {**ctes, name_of(cte.node.args["alias"].this): replace(cte, around=scope)}
            inner = self.scope(side, scope, env, ctes)
            columns: dict[str, str | int] = {str(number): number for number in range(len(inner.outputs))}
            holder = Source("", scope, inner.at, inner=inner, columns=columns)
            inner.holder = holder
            scope.sources.append(holder)
        scope.distinct = not (isinstance(query, exp.Union) and not query.args.get("distinct"))
        scope.limited = limits_rows(query)
        scope.outputs = _united(scope)
        if not scope.recursive:
            # A row of A EXCEPT B or A INTERSECT B is one of A.
            branches = scope.sources if isinstance(query, exp.Union) else scope.sources[:1]
            scope.more_facts = [Choice([Alternative(branch=branch) for branch in branches])]
        return scope

    # windows over several orders

    def _add_self_joins(self, query: exp.Select, scope: Scope, env: Env | None, ctes: dict[str, Cte]) -> None:
        """A window makes each row depend on all rows of its partition: as if the scope were joined with a second
        reading of itself by the partition's columns. One such self-join a partition leads changed rows to all
        orders."""
        partitions = {nodes for nodes, _ in scope.partitions}
        if scope.distinct_on is not None:
            # DISTINCT ON may choose by what a window says: then rows of both meet.
            partitions = {frozenset()} if partitions - {scope.distinct_on} else {scope.distinct_on}
        for nodes in partitions:
            self._add_self_join(query, scope, nodes, env, ctes)
        scope.partitions, scope.distinct_on, scope.coupled = [], None, True

    def _add_self_join(
        self, query: exp.Select, scope: Scope, nodes: Iterable[Node], env: Env | None, ctes: dict[str, Cte]
    ) -> None:
        second = self._select(query, scope, env, ctes)
        places = {source: number for number, source in enumerate(scope.sources)}
        # NULLs share a partition, but no lookup finds them: only columns that are never NULL lead to the others.
        own = [node for node in nodes if node[0] in places and surely_there(node)]
        second.outputs = [Output(None, None, (second.sources[places[source]], key)) for source, key in own]
        second.partitions, second.distinct_on, second.self_join = [], None, True
        second.distinct = second.limited = False
        holder = Source("", scope, scope.at, inner=second)
        second.holder = holder
        scope.holders.append(holder)
        scope.conditions += [Condition(node, (holder, number), ()) for number, node in enumerate(own)]


def _reads(query: exp.Expr, name: str) -> bool:
    return any(
        isinstance(table.this, exp.Identifier) and not table.args.get("db") and name_of(table.this) == name
        for table in query.find_all(exp.Table)
    )


def _united(scope: Scope) -> list[Output]:
    """The outputs of a set operation: those of its branches at the same place."""
    inners = [source.inner for source in scope.sources if source.inner is not None]
    sure = all(inner.in_order for inner in inners)
    outputs = []
    for number in range(min(len(inner.outputs) for inner in inners)):
        nodes: tuple[Node, ...] = tuple((source, number) for source in scope.sources)
        below = [inner.outputs[number] for inner in inners]
        kept = sure and _unites(below, nodes, lambda output: output.nodes)
        same = sure and not kept and _unites(below, nodes, _columns if scope.recursive else lambda it: it.values)
        moving = (kept or same) and scope.recursive and not _passes(inners[-1], number, scope)
        output = Output(below[0].name, same=nodes if same and not moving else (), moving=nodes if moving else ())
        output.branches = nodes if kept and not moving else ()
        outputs.append(output)
    return outputs


def _columns(output: Output) -> tuple[Node, ...]:
    return output.nodes if output.column is None else (output.column,)


def _unites(outputs: list[Output], nodes: Iterable[Node], passed: Callable[[Output], tuple[Node, ...]]) -> bool:
    """True when the values of each branch come out as they are: one type, or types that widen into each other.
    `passed`: what counts as a column of a branch."""
    columns: list[Column] = []
    casts: list[str | None] = []
    for output, node in zip(outputs, nodes, strict=True):
        column = column_of(node) if passed(output) else None
        if column is not None:
            columns.append(column)
            continue
        written = bare(output.expression) if output.expression is not None else None
        if isinstance(written, exp.Null) or (isinstance(written, exp.Literal) and written.is_string):
            continue
        casts.append(CAST_TYPES.get(written.to.this) if isinstance(written, exp.Cast) else None)
    if not columns or not unites(columns):
        return False
    return all(cast is not None and all(widened(column, cast) for column in columns) for cast in casts)


def _passes(scope: Scope, number: int, around: Scope) -> bool:
    """True when the recursive branch gives this column as the round before gave it, and keeps its values apart."""
    node = scope.outputs[number].column
    while node is not None:
        source, key = node
        if coupling(source.scope, node) is not None or not isinstance(key, int):
            return False
        if source.work_table is around:
            return key == number
        if source.inner is None:
            return False
        node = source.inner.outputs[key].column
    return False
