"""The clauses of one SELECT after FROM: outputs, WHERE, grouping, windows, DISTINCT, LIMIT. No I/O."""

from __future__ import annotations

from collections.abc import Iterator

from sqlglot import exp

from connector.projection.analysis.conditions.conditions import stated
from connector.projection.analysis.conditions.membership import state_memberships
from connector.projection.analysis.expressions import Expressions
from connector.projection.analysis.names import Env, Unresolved, named
from connector.projection.analysis.scopes import Node, Output
from connector.projection.analysis.values.values import picked_by, value_of
from connector.projection.sql.syntax import bare, is_star, limits_rows, name_of, output_name, own_windows


class Clauses:
    """Fills the scope of the expressions it is given, whose FROM has been read."""

    def __init__(self, expressions: Expressions) -> None:
        self.expressions = expressions
        self.resolver = expressions.resolver
        self.scope = expressions.scope

    def read(self, query: exp.Select, env: Env) -> None:
        for expression in query.expressions:
            self._visit_late(expression, env)
            self.scope.outputs += self._outputs(expression, env)
        where = query.args.get("where")
        if where is not None:
            self.expressions.visit(where.this, env)
            self.scope.state(stated(self.scope, self.expressions.nested, where.this, ()))
        if query.args.get("having") is not None:
            self._visit_late(query.args["having"].this, env)
        self._grouping(query.args.get("group"), env)
        self._sorted(query, env)
        self._windows(query, env)
        state_memberships(self.scope, self.expressions.nested)
        # Under FETCH FIRST ROWS WITH TIES too.
        self.scope.limited = limits_rows(query)

    def _visit_late(self, expression: exp.Expr, env: Env) -> None:
        before = len(self.scope.children)
        self.expressions.visit(expression, env)
        for inner in self.scope.children[before:]:
            inner.late = True

    def _outputs(self, expression: exp.Expr, env: Env) -> Iterator[Output]:
        if isinstance(expression, exp.Star) or (isinstance(expression, exp.Column) and is_star(expression)):
            yield from self._star(expression, env)
            return
        written = expression.this if isinstance(expression, exp.Alias) else expression
        node = self.scope.references.get(id(bare(written))) if isinstance(bare(written), exp.Column) else None
        value = value_of(self.scope, written) if node is None else None
        same = () if value is None else (value,)
        yield Output(output_name(expression), written, node, same=same, picked=picked_by(self.scope, written))

    def _star(self, expression: exp.Expr, env: Env) -> Iterator[Output]:
        if isinstance(expression, exp.Column):
            source = self.expressions.source_named(expression, env)
            sources = [source] if source else []
        else:
            sources = [source for group in env.groups for source in group.sources]
        merged = {} if isinstance(expression, exp.Column) else {k: v for g in env.groups for k, v in g.merged.items()}
        for name, node in merged.items():
            self.scope.shuffled = True
            yield Output(name, None, node)
        for source in sources:
            self.scope.whole_rows.add(source)
            if source.open:
                yield Output(None, unknown=True)
            for name, key in source.columns.items():
                if name not in merged:
                    yield Output(name, None, (source, key))

    def _grouping(self, group: exp.Group | None, env: Env) -> None:
        if group is None:
            return
        nodes = set()
        others = [name for name, value in group.args.items() if value and name != "expressions"]
        special = (exp.GroupingSets, exp.Rollup, exp.Cube, exp.Tuple)
        if others or any(isinstance(item, special) for item in group.expressions):
            self.scope.opaque_grouping = True
        for item in group.expressions:
            found = self._grouped_or_sorted(item, env, input_first=True)
            if found is not None:
                nodes.add(found)
        self.scope.grouping = frozenset(nodes)
        if self.scope.opaque_grouping:
            # Such a scope puts NULL where a column isn't grouped by.
            self.scope.outputs = [Output(o.name, o.expression, unknown=o.unknown) for o in self.scope.outputs]
            if any(inner.late for inner in self.scope.children):
                what = "a subquery in an output or HAVING beside grouping sets is not supported"
                self.resolver.note(
                    what, group, "group by plain columns, and write one more SELECT (UNION ALL) for each other total"
                )

    def _sorted(self, query: exp.Select, env: Env) -> None:
        order, distinct = query.args.get("order"), query.args.get("distinct")
        for item in order.expressions if order is not None else []:
            self._grouped_or_sorted(item.this if isinstance(item, exp.Ordered) else item, env, input_first=False)
        if distinct is None:
            return
        on = distinct.args.get("on")
        if on is None:
            self.scope.distinct = True
            return
        items = on.expressions if isinstance(on, exp.Tuple) else [bare(on)]
        nodes = [self._grouped_or_sorted(item, env, input_first=False) for item in items]
        self.scope.distinct_on = frozenset(node for node in nodes if node is not None)

    def _grouped_or_sorted(self, item: exp.Expr, env: Env, *, input_first: bool) -> Node | None:
        """The node of an item that may be an output's name or number: GROUP BY looks at inputs first, ORDER BY last."""
        item = bare(item)
        if isinstance(item, exp.Literal) and not item.is_string:
            number = int(str(item.this)) - 1 if str(item.this).isdigit() else -1
            return self.scope.outputs[number].node if 0 <= number < len(self.scope.outputs) else None
        if isinstance(item, exp.Column) and not item.table:
            name = name_of(item.this)
            output = next((output for output in self.scope.outputs if output.name == name), None)
            if output is not None and not (input_first and self._has_input(name, env)):
                return output.node
        self.expressions.visit(item, env)
        return self.scope.references.get(id(item))

    def _has_input(self, name: str, env: Env) -> bool:
        try:
            return named(name, env.groups, closed=True) is not None
        except Unresolved as error:
            return "ambiguous" in str(error)

    def _windows(self, query: exp.Select, env: Env) -> None:
        named = {name_of(window.this): window for window in query.args.get("windows") or []}
        for window in named.values():
            for part in (*(window.args.get("partition_by") or []), window.args.get("order")):
                if part is not None:
                    self.expressions.visit(part, env)
        for window in own_windows(query):
            base: exp.Expr | None = window
            columns: list[exp.Expr] = []
            while base is not None:
                columns += base.args.get("partition_by") or []
                alias = base.args.get("alias") or base.args.get("first")
                base = named.get(name_of(alias)) if isinstance(alias, exp.Identifier) else None
            nodes = (self.scope.references.get(id(bare(column))) for column in columns)
            self.scope.partitions.append((frozenset(node for node in nodes if node), self.resolver.at(window)))
