"""Everything that the mapping names, from the catalog: tables, the views among them with their own texts and tables,
and the functions that it and the views call.

Knows how a view's text is read; must not know scopes or routes.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

from psycopg import AsyncConnection
from sqlglot import exp

from connector.model.changes import TableName
from connector.projection.catalog.functions import read_functions
from connector.projection.catalog.tables import Catalog, Table, View, read_tables
from connector.projection.sql.identifiers import Identifiers, identifiers_in
from connector.projection.sql.syntax import name_of, offset_of, read_query

# Every name in the text comes with its schema, as pg_catalog alone is looked in. Servers before 15 know no invoker's
# views.
_DEFINITIONS = """
SELECT c.oid::bigint, pg_get_viewdef(c.oid), EXISTS (
  SELECT FROM pg_options_to_table(c.reloptions) WHERE option_name = 'security_invoker' AND option_value::boolean)
FROM pg_class c WHERE c.oid = ANY($1::oid[]) AND c.relkind = 'v'
"""


async def read_catalog(
    connection: AsyncConnection[Any], query: exp.Query, words: Identifiers, path: Sequence[str]
) -> tuple[Catalog, Mapping[TableName, str]]:
    """The catalog, and the texts of the views. `words`: the query's; `path`: schemas that its names are looked up in.
    Raises psycopg.Error."""
    tables = await read_tables(connection, table_names(query), path)
    views: dict[TableName, View] = {}
    texts: dict[TableName, str] = {}
    invokers: set[TableName] = set()
    words = replace(words, columns=columns_of_functions(query))
    waiting = list(tables.values())
    while waiting:
        found = await _definitions(connection, [t for t in waiting if t.kind == "v" and t.name not in texts])
        wanted: dict[tuple[str | None, str], None] = {}
        for table, text, invoker in found:
            texts[table.name] = text
            invokers |= {table.name} if invoker else set()
            read = read_query(text.rstrip().rstrip(";"))
            if read is not None:
                views[table.name] = View(table.name, read, tuple(table.columns))
                words = words | replace(identifiers_in(text), columns={})
                wanted |= dict.fromkeys(name for name in table_names(read) if name not in tables)
        more = await read_tables(connection, list(wanted)) if wanted else {}
        tables |= more
        waiting = list(more.values())
    functions = await read_functions(connection, words, [table.oid for table in tables.values()], path)
    return Catalog(tables, views, functions, frozenset(invokers)), texts


async def _definitions(connection: AsyncConnection[Any], views: Sequence[Table]) -> list[tuple[Table, str, bool]]:
    system = ("pg_catalog", "information_schema")
    views = [view for view in views if view.name.schema not in system]
    if not views:
        return []
    rows = await (await connection.execute(_DEFINITIONS, [[view.oid for view in views]])).fetchall()
    found = {oid: rest for oid, *rest in rows}
    return [(view, *found[view.oid]) for view in views if view.oid in found]


def table_names(query: exp.Query) -> list[tuple[str | None, str]]:
    """Every table that the query may name, CTEs too."""
    names = {
        (name_of(table.args["db"]) if table.args.get("db") else None, name_of(table.this)): None
        for table in query.find_all(exp.Table)
        if isinstance(table.this, exp.Identifier)
    }
    return list(names)


def columns_of_functions(query: exp.Query) -> dict[str, int]:
    """Columns of what a function in FROM gives, which may be functions of its rows. Of a table it is known what there
    is."""
    sources = [node for node in query.find_all(exp.Table, exp.Lateral, exp.Unnest, exp.Values) if not _queried(node)]
    aliases = {source.alias_or_name for source in sources}
    columns = (column for column in query.find_all(exp.Column) if column.table in aliases)
    return {
        name_of(column.this): offset_of(column.this) for column in columns if isinstance(column.this, exp.Identifier)
    }


def _queried(node: exp.Expr) -> bool:
    return isinstance(node.this, (exp.Identifier, exp.Subquery))
