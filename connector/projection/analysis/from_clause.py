"""FROM of one SELECT: its sources, how joins make some nullable, and what joins state. No I/O."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from sqlglot import exp

from connector.projection.analysis.conditions.conditions import condition, stated
from connector.projection.analysis.expressions import Expressions
from connector.projection.analysis.names import Env, Group, Unresolved, named
from connector.projection.analysis.scopes import Fact, Region, Source
from connector.projection.analysis.tables import TableReader
from connector.projection.analysis.values.values import element_of
from connector.projection.sql.identifiers import fold
from connector.projection.sql.syntax import is_comma, name_of


class FromClause:
    """Fills the scope of the expressions it is given with sources and their conditions."""

    def __init__(self, expressions: Expressions) -> None:
        self.expressions = expressions
        self.resolver = expressions.resolver
        self.scope = expressions.scope
        self.tables = TableReader(expressions)

    def read(self, query: exp.Select, env: Env | None) -> list[Group]:
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
            self.scope.state(group.facts)
        return groups

    def _join(self, left: Group, join: exp.Join, before: Env, context: Region | None) -> None:
        """Join one more item to the chain `left`, in place."""
        side, kind = (join.side or "").upper(), (join.kind or "").upper()
        natural = (join.method or "").upper() == "NATURAL"
        odd = join.method and not natural
        if odd or side not in ("", "LEFT", "RIGHT", "FULL") or kind not in ("", "INNER", "OUTER", "CROSS"):
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
        shared = [(name_of(identifier), identifier) for identifier in join.args.get("using") or []]
        if natural:
            shared = [(name, join.this) for name in self._common(left, right, join)]
        facts = self._using(left, right, shared, guard, side)
        if join.args.get("on") is not None:
            env = Env([left, right], before.parent)
            self.expressions.visit(join.args["on"], env)
            facts += stated(self.scope, self.expressions.nested, join.args["on"], guard)
        left.sources += right.sources
        left.merged = {**right.merged, **left.merged}
        left.regions += right.regions
        left.facts += [*right.facts, *facts]

    def _common(self, left: Group, right: Group, join: exp.Join) -> list[str]:
        """The columns that NATURAL joins by."""
        if any(source.open for source in (*left.sources, *right.sources)):
            self.resolver.note("NATURAL JOIN of a function or of unnamed columns is not supported", join, "use USING")
            return []
        ours, theirs = (dict.fromkeys([*g.merged, *(n for s in g.sources for n in s.columns)]) for g in (left, right))
        return [name for name in ours if name in theirs]

    def _using(
        self, left: Group, right: Group, shared: Iterable[tuple[str, exp.Expr]], guard: tuple[Region, ...], side: str
    ) -> list[Fact]:
        made: list[Fact] = []
        for name, place in shared:
            try:
                ours, theirs = named(name, [left]), named(name, [right])
            except Unresolved as error:
                self.resolver.note(str(error), place, error.hint)
                continue
            if ours and theirs:
                made += condition(ours, theirs, guard)
            # FULL JOIN merges into coalesce(ours, theirs): no plain column.
            left.merged[name] = {"RIGHT": theirs, "FULL": None}.get(side, ours)
        return made

    def _item(self, node: exp.Expr, before: Env, context: Region | None) -> Group:
        joins = node.args.get("joins") or []
        if isinstance(node, exp.Subquery) and _is_join(node.this):
            group = self._item(node.this, before, context)
            if node.args.get("alias"):
                self.resolver.note("an alias for a join in parentheses is not supported", node, "leave the alias out")
                group.sources.append(Source(node.alias, self.scope, self.resolver.at(node), open=True))
        else:
            group = Group([self._source(node, before, context)])
        for join in joins:
            self._join(group, join, before, context)
        return group

    def _source(self, node: exp.Expr, before: Env, context: Region | None) -> Source:
        source = self._made(node, before)
        source.region = context
        if source.alias and any(known.alias == source.alias for known in self.scope.sources):
            self.resolver.note(f"table name {source.alias} is used more than once", node, "give each an alias")
        self.scope.sources.append(source)
        if source.inner is not None:
            source.inner.holder = source
        return source

    def _made(self, node: exp.Expr, before: Env) -> Source:
        alias = node.args.get("alias")
        name = name_of(alias.this) if isinstance(alias, exp.TableAlias) and alias.this else ""
        renamed = [name_of(column) for column in alias.columns] if isinstance(alias, exp.TableAlias) else []
        if isinstance(node, exp.Table) and isinstance(node.this, exp.Identifier):
            return self.tables.named(node, name, renamed)
        if isinstance(node, exp.Subquery):
            outer = Env([], before.parent)
            inner = self.resolver.scope(node, self.scope, outer, self.expressions.ctes)
            return self.tables.derived(node, name, renamed, inner)
        if isinstance(node, exp.Lateral) and isinstance(node.this, exp.Subquery):
            inner = self.resolver.scope(node.this, self.scope, before, self.expressions.ctes)
            return self.tables.derived(node, name, renamed, inner)
        if not isinstance(node, (exp.Table, exp.Lateral, exp.Unnest, exp.Values)):
            self.resolver.note(
                f"{node.key.upper()} in FROM is not supported", node, "name a table, or write (SELECT ...)"
            )
        for child in node.iter_expressions():
            if not isinstance(child, exp.TableAlias):
                self.expressions.visit(child, before)
        called = node.this if isinstance(node.this, exp.Anonymous) else None
        element = self._elements(node, name, renamed)
        if element is not None:
            return element
        return Source(name or (fold(called.name) if called else ""), self.scope, self.resolver.at(node), open=True)

    def _elements(self, node: exp.Expr, alias: str, renamed: Sequence[str]) -> Source | None:
        """The rows that a function makes of an array. Their column has the table's alias for a name, unless the
        function has one for it (https://www.postgresql.org/docs/current/sql-select.html#SQL-FROM)."""
        rows_from = node.args.get("rows_from") or []
        call = rows_from[0] if len(rows_from) == 1 else node if isinstance(node, exp.Unnest) else node.this
        word = "unnest" if isinstance(call, exp.Unnest) else fold(call.name) if isinstance(call, exp.Anonymous) else ""
        kind = "array" if word == "unnest" else _LISTS.get(word)
        if kind is None or len(call.expressions) != 1 or word in self.scope.overloaded:
            return None
        column = renamed[0] if renamed else "value" if word in _LISTS else alias or word
        return element_of(self.scope, call.expressions[0], kind, self.resolver.at(node), alias or word, column)


_LISTS = {"jsonb_array_elements": "jsonb", "jsonb_array_elements_text": "text"}


def _is_join(inside: exp.Expr) -> bool:
    """What parentheses hold is a join, not one more pair of parentheses around a query."""
    named = isinstance(inside, exp.Subquery) and (inside.args.get("alias") or inside.args.get("joins"))
    return isinstance(inside, exp.Table) or bool(named) or (isinstance(inside, exp.Subquery) and _is_join(inside.this))
