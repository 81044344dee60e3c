"""What the columns in an expression mean, and the queries nested in it.

Names are found as Postgres finds them (https://www.postgresql.org/docs/current/queries-table-expressions.html): the
level's own sources first, then the levels around it. No I/O.
"""

from __future__ import annotations

from difflib import get_close_matches

from sqlglot import exp

from connector.projection.analysis.names import Cte, Env, Resolver, Unresolved, named
from connector.projection.analysis.scopes import Node, Scope, Source
from connector.projection.sql.syntax import QUERIES, is_star, name_of

_SYSTEM_COLUMNS = frozenset({"tableoid", "ctid", "xmin", "xmax", "cmin", "cmax"})


class Expressions:
    """The expressions of one scope. Fills its `references` and `whole_rows`; `nested` holds the scopes inside."""

    def __init__(self, resolver: Resolver, scope: Scope, ctes: dict[str, Cte]) -> None:
        self.resolver = resolver
        self.scope = scope
        self.ctes = ctes
        self.nested: dict[int, Scope] = {}

    def visit(self, node: exp.Expr, env: Env) -> None:
        """Resolve the columns of an expression and build the subqueries in it."""
        query = node
        while isinstance(query, exp.Subquery):
            query = query.this
        if isinstance(query, QUERIES):
            if id(query) not in self.nested:
                self.nested[id(query)] = self.resolver.scope(node, self.scope, env, self.ctes)
            return
        if isinstance(node, exp.Column):
            self._reference(node, env)
            return
        if isinstance(node, (exp.Parameter, exp.Placeholder)):
            self.resolver.note("a mapping has no parameters", node, "write the value in its place; for @ write abs()")
        for child in node.iter_expressions():
            self.visit(child, env)

    def _reference(self, column: exp.Column, env: Env) -> None:
        if is_star(column):
            source = self.source_named(column, env)
            if source is not None:
                self.scope.whole_rows.add(source)
            return
        try:
            node = self._find(column, env)
        except Unresolved as error:
            self.resolver.note(str(error), column, error.hint)
            return
        if node is not None:
            self.scope.references[id(column)] = node

    def _find(self, column: exp.Column, env: Env) -> Node | None:
        name = name_of(column.this)
        if column.args.get("catalog"):
            raise Unresolved("a column with a database's name is not supported", "write alias.column")
        if column.args.get("table"):
            source = self.source_named(column, env)
            if source is None or name in _SYSTEM_COLUMNS:
                return None
            if name in source.columns:
                return source, source.columns[name]
            if source.open:
                return None
            what, close = f"{source.alias} has no column {name}", get_close_matches(name, source.columns, 1)
            raise Unresolved(what, f"did you mean {close[0]}?") if close else Unresolved(what)
        level: Env | None = env
        while level is not None:
            found = named(name, level.groups, closed=True)
            if found is not None or any(name in group.merged for group in level.groups):
                return found
            whole = [source for group in level.groups for source in group.sources if source.alias == name]
            if whole and whole[0].element is not None:
                return whole[0], 0  # a row that is one value
            if whole:
                self.scope.whole_rows.update(whole)
                return None
            if any(source.open for group in level.groups for source in group.sources):
                # Postgres has accepted the name before us: then it is one of a function's columns, unless it is of an
                # outer level. Either way only a plain column of a table could be a key, and this isn't taken for one.
                return None
            level = level.parent
        raise Unresolved(f"there is no column {name}")

    def source_named(self, column: exp.Column, env: Env) -> Source | None:
        name = name_of(column.args["table"])
        schema = name_of(column.args["db"]) if column.args.get("db") else None
        level: Env | None = env
        while level is not None:
            for source in (source for group in level.groups for source in group.sources):
                table = source.table
                if source.alias == name and (schema is None or (table is not None and table.name.schema == schema)):
                    return source
            level = level.parent
        self.resolver.note(f"there is no table or alias {name} here", column, "name one of FROM's")
        return None
