"""From the parsed mapping to scopes: what every name in it means.

Names are found as Postgres finds them (https://www.postgresql.org/docs/current/queries-table-expressions.html). What
this module can't say for sure becomes a problem with its place; it never guesses. No I/O.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from difflib import get_close_matches

from sqlglot import exp

from connector.errors import Problem
from connector.projection.catalog import KINDS, Catalog
from connector.projection.conditions import condition, stated
from connector.projection.mapping import Mapping, fold, name_of, offset_of
from connector.projection.names import Env, Group, Unresolved, named
from connector.projection.scopes import Condition, Node, Output, Region, Scope, Source
from connector.projection.syntax import QUERIES, bare, is_comma, is_star, output_name, own_windows

_KNOWN = {"offset", "operation_modifiers"}.union(
    ["with_", "expressions", "from_", "joins", "where", "group", "having", "windows", "distinct", "order", "limit"]
)
_SYSTEM_COLUMNS = frozenset({"tableoid", "ctid", "xmin", "xmax", "cmin", "cmax"})


@dataclass(frozen=True, slots=True)
class Cte:
    node: exp.CTE
    env: Env | None
    ctes: dict[str, Cte]


def resolve(mapping: Mapping, catalog: Catalog) -> tuple[Scope, list[Problem]]:
    """The mapping's top scope, and every problem found on the way."""
    resolver = _Resolver(mapping, catalog)
    top = resolver.scope(mapping.select, None, None, {})
    for cte in mapping.select.find_all(exp.CTE):
        if id(cte) not in resolver.read_ctes:
            resolver.note(f"the CTE {cte.alias} is never read", cte, "remove it")
    return top, list(dict.fromkeys(resolver.problems))


class _Resolver:
    def __init__(self, mapping: Mapping, catalog: Catalog) -> None:
        self.mapping = mapping
        self.catalog = catalog
        self.problems: list[Problem] = []
        self.read_ctes: set[int] = set()

    def note(self, what: str, at: exp.Expr, hint: str = "") -> None:
        self.problems.append(self.mapping.problem(what, at, hint))

    # scopes

    def scope(self, query: exp.Expr, parent: Scope | None, env: Env | None, ctes: dict[str, Cte]) -> Scope:
        """Build one SELECT. Whatever else stands in its place becomes a problem and an empty scope."""
        while isinstance(query, exp.Subquery) and isinstance(query.this, (exp.Subquery, *QUERIES)):
            if query.args.get("with_"):
                self.note("WITH around a query in parentheses is not supported", query)
            query = query.this
        if not isinstance(query, exp.Select):
            self.note(f"{query.key.upper()} is not supported yet", query)
            return Scope(exp.Select(), parent, offset_of(query))
        scope = Scope(query, parent, offset_of(query))
        if parent is not None:
            parent.children.append(scope)
        self._refuse_parts(query)
        ctes = self._ctes(query, env, ctes)
        own = _Own(self, scope, ctes)
        groups = own.from_clause(query, env)
        own.clauses(query, Env(groups, env))
        return scope

    def _ctes(self, query: exp.Select, env: Env | None, ctes: dict[str, Cte]) -> dict[str, Cte]:
        clause = query.args.get("with_")
        if clause is None:
            return ctes
        if clause.args.get("recursive"):
            self.note("WITH RECURSIVE is not supported yet", clause)
        for cte in clause.expressions:
            # A copy for each: a CTE sees only those before it.
            ctes = {**ctes, name_of(cte.args["alias"].this): Cte(cte, env, dict(ctes))}
        return ctes

    def _refuse_parts(self, query: exp.Select) -> None:
        for name, value in query.args.items():
            if not value or name in _KNOWN:
                continue
            what = {"locks": "FOR UPDATE and FOR SHARE are", "into": "SELECT INTO is"}.get(name, f"{name.upper()} is")
            self.note(f"{what} not supported in a mapping", query)


class _Own:
    """Builds one scope: FROM first, then the clauses that use it."""

    def __init__(self, resolver: _Resolver, scope: Scope, ctes: dict[str, Cte]) -> None:
        self.resolver = resolver
        self.scope = scope
        self.ctes = ctes
        self.nested: dict[int, Scope] = {}

    # FROM

    def from_clause(self, query: exp.Select, env: Env | None) -> list[Group]:
        clause = query.args.get("from_")
        if clause is None:
            return []
        groups = [self._item(clause.this, Env([], env), None)]
        for join in query.args.get("joins") or []:
            if is_comma(join):
                groups.append(self._item(join.this, Env(list(groups), env), None))
            else:
                self._join(groups[-1], join, Env(groups[:-1], env), None)
        for group in groups:
            self.scope.conditions += group.conditions
        return groups

    def _join(self, left: Group, join: exp.Join, before: Env, context: Region | None) -> None:
        """Join one more item to the chain `left`, in place."""
        side, kind = (join.side or "").upper(), (join.kind or "").upper()
        if join.method or side not in ("", "LEFT", "RIGHT", "FULL") or kind not in ("", "INNER", "OUTER", "CROSS"):
            words = " ".join(word for word in (join.method, side, kind) if word)
            self.resolver.note(f"{words} JOIN is not supported", join, "name the columns with ON or USING")
        inside = Region(context) if side in ("LEFT", "FULL") else context
        right = self._item(join.this, Env([*before.groups, left], before.parent), inside)
        guard = (inside,) if inside else ()
        if inside is not context and inside is not None:
            right.regions.append(inside)
        if side in ("RIGHT", "FULL"):
            outer = Region(context)
            left.enclose(outer, context)
            guard = (outer, *guard) if side == "FULL" else (outer,)
        conditions = self._using(left, right, join, guard, side)
        if join.args.get("on") is not None:
            env = Env([left, right], before.parent)
            self._visit(join.args["on"], env)
            conditions += stated(self.scope, self.nested, join.args["on"], guard)
        left.sources += right.sources
        left.merged = {**right.merged, **left.merged}
        left.regions += right.regions
        left.conditions += [*right.conditions, *conditions]

    def _using(
        self, left: Group, right: Group, join: exp.Join, guard: tuple[Region, ...], side: str
    ) -> list[Condition]:
        made = []
        for identifier in join.args.get("using") or []:
            name = name_of(identifier)
            try:
                ours, theirs = named(name, [left]), named(name, [right])
            except Unresolved as error:
                self.resolver.note(str(error), identifier, error.hint)
                continue
            if ours and theirs:
                made += condition(ours, theirs, guard)
            # FULL JOIN merges into coalesce(ours, theirs): no plain column.
            left.merged[name] = {"RIGHT": theirs, "FULL": None}.get(side, ours)
        return made

    def _item(self, node: exp.Expr, before: Env, context: Region | None) -> Group:
        joins = node.args.get("joins") or []
        if isinstance(node, exp.Subquery) and isinstance(node.this, (exp.Table, exp.Subquery)):
            if node.args.get("alias"):
                self.resolver.note("an alias for a join in parentheses is not supported", node)
            group = self._item(node.this, before, context)
        else:
            group = Group([self._source(node, before, context)])
        for join in joins:
            self._join(group, join, before, context)
        return group

    def _source(self, node: exp.Expr, before: Env, context: Region | None) -> Source:
        source = self._made(node, before)
        source.region = context
        if source.alias and any(known.alias == source.alias for known in self.scope.sources):
            self.resolver.note(f"table name {source.alias} is used more than once", node)
        self.scope.sources.append(source)
        if source.inner is not None:
            source.inner.holder = source
        return source

    def _made(self, node: exp.Expr, before: Env) -> Source:
        alias = node.args.get("alias")
        name = name_of(alias.this) if isinstance(alias, exp.TableAlias) and alias.this else ""
        renamed = [name_of(column) for column in alias.columns] if isinstance(alias, exp.TableAlias) else []
        if isinstance(node, exp.Table) and isinstance(node.this, exp.Identifier):
            return self._named_table(node, name, renamed)
        if isinstance(node, exp.Subquery):
            outer = Env([], before.parent)
            inner = self.resolver.scope(node, self.scope, outer, self.ctes)
            return self._derived(node, name, renamed, inner)
        if isinstance(node, exp.Lateral) and isinstance(node.this, exp.Subquery):
            inner = self.resolver.scope(node.this, self.scope, before, self.ctes)
            return self._derived(node, name, renamed, inner)
        if not isinstance(node, (exp.Table, exp.Lateral, exp.Unnest, exp.Values)):
            self.resolver.note(f"{node.key.upper()} in FROM is not supported", node)
        for child in node.iter_expressions():
            if not isinstance(child, exp.TableAlias):
                self._visit(child, before)
        called = node.this if isinstance(node.this, exp.Anonymous) else None
        return Source(name or (fold(called.name) if called else ""), self.scope, offset_of(node), open=True)

    def _named_table(self, node: exp.Table, alias: str, renamed: Sequence[str]) -> Source:
        schema, name = (name_of(node.args["db"]) if node.args.get("db") else None), name_of(node.this)
        at = offset_of(node)
        self._refuse_table_parts(node)
        cte = self.ctes.get(name) if schema is None else None
        if cte is not None:
            self.resolver.read_ctes.add(id(cte.node))
            inner = self.resolver.scope(cte.node.this, self.scope, cte.env, cte.ctes)
            inner.is_cte = True
            names = [name_of(column) for column in cte.node.args["alias"].columns]
            for output, new in zip(inner.outputs, names, strict=False):
                output.name = new
            return self._derived(node, alias or name, renamed, inner)
        table = self.resolver.catalog.tables.get((schema, name))
        shown = f"{schema}.{name}" if schema else name
        if table is None:
            self.resolver.note(f"there is no table {shown}", node, "correct the name, or write its schema before it")
        elif table.kind in KINDS:
            self.resolver.note(f"{KINDS[table.kind]} {table.name} is not supported yet", node, "name its tables")
        elif table.name.schema in ("pg_catalog", "information_schema"):
            self.resolver.note(f"{table.name} is a system table: its changes can't be followed", node)
        elif table.refusal:
            self.resolver.note(f"{table.name} {table.refusal}", node)
        columns: dict[str, str | int] = {}
        for number, column in enumerate(table.columns if table else ()):
            columns[renamed[number] if number < len(renamed) else column] = column
        return Source(alias or name, self.scope, at, table=table, columns=columns, open=table is None)

    def _refuse_table_parts(self, node: exp.Table) -> None:
        known = {"this", "db", "alias", "joins"}
        for part, value in node.args.items():
            if value and part not in known:
                self.resolver.note(f"{part.upper()} on a table is not supported", node)

    def _derived(self, node: exp.Expr, alias: str, renamed: Sequence[str], inner: Scope) -> Source:
        columns: dict[str, str | int] = {}
        twice = set()
        for number, output in enumerate(inner.outputs):
            name = renamed[number] if number < len(renamed) else output.name
            if name in columns:
                twice.add(name)
            elif name is not None:
                columns[name] = number
        # A name that stands for two outputs can't be read; Postgres refuses it where it is.
        columns = {name: number for name, number in columns.items() if name not in twice}
        unnamed = any(output.name is None for output in inner.outputs)
        written = node.args.get("alias")
        # The alias, not what the parentheses hold: the place must lie directly in this scope.
        at = offset_of(written) if written is not None else offset_of(node)
        return Source(alias, self.scope, at, inner=inner, columns=columns, open=unnamed)

    # the other clauses

    def clauses(self, query: exp.Select, env: Env) -> None:
        for expression in query.expressions:
            self._visit(expression, env)
            self.scope.outputs += self._outputs(expression, env)
        where = query.args.get("where")
        if where is not None:
            self._visit(where.this, env)
            self.scope.conditions += stated(self.scope, self.nested, where.this, ())
        if query.args.get("having") is not None:
            self._visit(query.args["having"].this, env)
        self._grouping(query.args.get("group"), env)
        self._sorted(query, env)
        self._windows(query, env)
        self.scope.limited = any(query.args.get(part) is not None for part in ("limit", "offset"))

    def _outputs(self, expression: exp.Expr, env: Env) -> Iterator[Output]:
        if isinstance(expression, exp.Star) or (isinstance(expression, exp.Column) and is_star(expression)):
            yield from self._star(expression, env)
            return
        written = expression.this if isinstance(expression, exp.Alias) else expression
        node = self.scope.references.get(id(bare(written))) if isinstance(bare(written), exp.Column) else None
        yield Output(output_name(expression), written, node)

    def _star(self, expression: exp.Expr, env: Env) -> Iterator[Output]:
        if isinstance(expression, exp.Column):
            source = self._source_named(expression, env)
            sources = [source] if source else []
        else:
            sources = [source for group in env.groups for source in group.sources]
        merged = {} if isinstance(expression, exp.Column) else {k: v for g in env.groups for k, v in g.merged.items()}
        for name, node in merged.items():
            yield Output(name, None, node)
        for source in sources:
            self.scope.whole_rows.add(source)
            if source.open:
                yield Output(None)
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
            self.scope.outputs = [Output(output.name, output.expression) for output in self.scope.outputs]

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
        self._visit(item, env)
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
                    self._visit(part, env)
        for window in own_windows(query):
            base: exp.Expr | None = window
            columns: list[exp.Expr] = []
            while base is not None:
                columns += base.args.get("partition_by") or []
                alias = base.args.get("alias") or base.args.get("first")
                base = named.get(name_of(alias)) if isinstance(alias, exp.Identifier) else None
            nodes = (self.scope.references.get(id(bare(column))) for column in columns)
            self.scope.partitions.append((frozenset(node for node in nodes if node), offset_of(window)))

    # expressions

    def _visit(self, node: exp.Expr, env: Env) -> None:
        """Resolve the columns of an expression and build the subqueries in it."""
        if isinstance(node, QUERIES):
            if id(node) not in self.nested:
                self.nested[id(node)] = self.resolver.scope(node, self.scope, env, self.ctes)
            return
        if isinstance(node, exp.Column):
            self._reference(node, env)
            return
        if isinstance(node, (exp.Parameter, exp.Placeholder)):
            self.resolver.note("a mapping has no parameters", node)
        for child in node.iter_expressions():
            self._visit(child, env)

    def _reference(self, column: exp.Column, env: Env) -> None:
        if is_star(column):
            source = self._source_named(column, env)
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
            raise Unresolved("a column with a database's name is not supported")
        if column.args.get("table"):
            source = self._source_named(column, env)
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
            if whole:
                self.scope.whole_rows.update(whole)
                return None
            if any(source.open for group in level.groups for source in group.sources):
                # Postgres has accepted the name before us: then it is one of a function's columns, unless it is of an
                # outer level. Either way only a plain column of a table could be a key, and this isn't taken for one.
                return None
            level = level.parent
        raise Unresolved(f"there is no column {name}")

    def _source_named(self, column: exp.Column, env: Env) -> Source | None:
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
