"""What a name in FROM is: a table, a view, a CTE, the recursive CTE around it, or a query in parentheses. No I/O."""

from __future__ import annotations

from collections.abc import Sequence

from sqlglot import exp

from connector.postgres.quoting import quoted
from connector.projection.analysis.expressions import Expressions
from connector.projection.analysis.names import Cte, Env
from connector.projection.analysis.scopes import Scope, Source
from connector.projection.catalog.tables import KINDS, Table
from connector.projection.sql.syntax import name_of, offset_of

_SYSTEM_SCHEMAS = ("pg_catalog", "information_schema")
_KNOWN_PARTS = {"this", "db", "alias", "joins", "only"}


class TableReader:
    """Makes the sources of one scope that have a name or a query."""

    def __init__(self, expressions: Expressions) -> None:
        self.expressions = expressions
        self.resolver = expressions.resolver
        self.scope = expressions.scope
        self.ctes = expressions.ctes

    def named(self, node: exp.Table, alias: str, renamed: Sequence[str]) -> Source:
        schema, name = (name_of(node.args["db"]) if node.args.get("db") else None), name_of(node.this)
        for part, value in node.args.items():
            if value and part not in _KNOWN_PARTS:
                word = "TABLESAMPLE" if part == "sample" else part.upper()
                self.resolver.note(f"{word} on a table is not supported", node, "leave it out")
        cte = self.ctes.get(name) if schema is None else None
        if cte is not None:
            return self._cte(node, cte, alias or name, renamed)
        table = self.resolver.catalog.tables.get((schema, name))
        if table is None:
            shown = f"{schema}.{name}" if schema else name
            self.resolver.note(f"there is no table {shown}", node, "correct the name, or write its schema before it")
            return Source(alias or name, self.scope, self.resolver.at(node), open=True)
        source = self._table(node, table, alias or name, renamed)
        if schema is None and self.scope.view is None:
            source.unqualified_at = offset_of(node.this)
        return source

    def _table(self, node: exp.Table, table: Table, alias: str, renamed: Sequence[str]) -> Source:
        view = self.resolver.catalog.views.get(table.name)
        if view is not None:
            return self.derived(node, alias, renamed, self.resolver.view(view, node, self.scope))
        self._refuse(node, table)
        columns: dict[str, str | int] = {}
        for number, column in enumerate(table.columns):
            columns[renamed[number] if number < len(renamed) else column] = column
        only = bool(node.args.get("only"))
        return Source(alias, self.scope, self.resolver.at(node), table=table, columns=columns, only=only)

    def derived(self, node: exp.Expr, alias: str, renamed: Sequence[str], inner: Scope) -> Source:
        """A source for the outputs of a scope. A name that stands for two outputs can't be read: Postgres refuses it
        where it is."""
        if renamed and not inner.in_order:
            self._out_of_order(alias, node)
        columns: dict[str, str | int] = {}
        twice = set()
        for number, output in enumerate(inner.outputs):
            name = renamed[number] if number < len(renamed) else output.name
            if name in columns:
                twice.add(name)
            elif name is not None:
                columns[name] = number
        columns = {name: number for name, number in columns.items() if name not in twice}
        unnamed = any(output.name is None for output in inner.outputs)
        written = node.args.get("alias")
        # The alias, not what the parentheses hold: the place must lie directly in this scope.
        at = self.resolver.at(written if written is not None else node)
        return Source(alias, self.scope, at, inner=inner, columns=columns, open=unnamed)

    def _cte(self, node: exp.Table, cte: Cte, alias: str, renamed: Sequence[str]) -> Source:
        self.resolver.read_ctes.add(id(cte.node))
        names = [name_of(column) for column in cte.node.args["alias"].columns]
        if cte.around is not None:
            return self._round_before(node, cte.around, alias, names, renamed)
        if isinstance(cte.node.this, exp.Values):
            for row in cte.node.this.expressions:
                self.expressions.visit(row, cte.env or Env([], None))
            return Source(alias, self.scope, self.resolver.at(node), open=True)
        if cte.later:
            self.resolver.note(f"{alias} is a CTE that comes later", node, "put it first")
        inner = self.resolver.cte(cte, self.scope)
        if names and not inner.in_order:
            self._out_of_order(alias, node)
        for output, new in zip(inner.outputs, names, strict=False):
            output.name = new
        return self.derived(node, alias, renamed, inner)

    def _round_before(
        self, node: exp.Table, around: Scope, alias: str, names: Sequence[str], renamed: Sequence[str]
    ) -> Source:
        """The recursive CTE, read in itself: its columns are those of its first branch."""
        first = around.sources[0].inner
        columns: dict[str, str | int] = {}
        for number, output in enumerate(first.outputs if first is not None else ()):
            own = names[number] if number < len(names) else output.name
            name = renamed[number] if number < len(renamed) else own
            if name is not None:
                columns[name] = number
        at = self.resolver.at(node)
        return Source(alias, self.scope, at, columns=columns, work_table=around, open=not columns)

    def _out_of_order(self, alias: str, node: exp.Expr) -> None:
        self.resolver.note(f"the columns of {alias} can't be told from their places", node, "name them instead of *")

    def _refuse(self, node: exp.Table, table: Table) -> None:
        if table.name.schema in _SYSTEM_SCHEMAS:
            what = f"{table.name} is a system table: its changes can't be followed"
            self.resolver.note(what, node, "keep what you need of it in a table")
        elif table.kind in KINDS:
            self.resolver.note(f"{table.name} is a {KINDS[table.kind]}, no table", node, "name a table or a view")
        elif table.kind == "v":
            self.resolver.note(f"the view {table.name} can't be read", node, "name its tables")
        else:
            for found in (table, *(() if node.args.get("only") else table.children)):
                if found.refusal and found.name not in self.resolver.swept:
                    swept = f'list "{found.name}" in mapping.sweep_tables: then only a reconcile notices its changes'
                    self.resolver.note(f"{found.name} {found.refusal}", node, f"{_instead_of(found)}, or {swept}")


def _instead_of(table: Table) -> str:
    """What a table that can't be followed is followed by."""
    if table.kind == "m":
        return "name the tables behind it"
    if table.kind == "f":
        return "keep what you need of it in a table of this database"
    return f"ALTER TABLE {quoted(table.name.schema, table.name.name)} SET LOGGED"
