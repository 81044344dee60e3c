"""Everything that the mapping names, from the catalog: tables, the views among them with their own texts and tables,
and the functions that it and the views call.

Knows how a view's text is read; must not know scopes or routes.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from psycopg import AsyncConnection
from sqlglot import exp

from connector.changes import TableName
from connector.projection.catalog import Catalog, Table, View, read_tables
from connector.projection.functions import Functions, read_functions
from connector.projection.mapping import name_of, read_query

# With an empty search path every name in the text comes with its schema. Servers before 15 know no invoker's views.
_DEFINITIONS = """
SELECT c.oid::bigint, pg_get_viewdef(c.oid), EXISTS (
  SELECT FROM pg_options_to_table(c.reloptions) WHERE option_name = 'security_invoker' AND option_value::boolean)
FROM pg_class c WHERE c.oid = ANY($1::oid[]) AND c.relkind = 'v'
"""


async def read_catalog(
    connection: AsyncConnection[Any], query: exp.Query, called: Iterable[str]
) -> tuple[Catalog, Mapping[TableName, str]]:
    """The catalog, and the texts of the views. Raises psycopg.Error."""
    tables = await read_tables(connection, table_names(query))
    views: dict[TableName, View] = {}
    texts: dict[TableName, str] = {}
    invokers: set[TableName] = set()
    names = set(called)
    waiting = list(tables.values())
    while waiting:
        found = await _definitions(connection, [t for t in waiting if t.kind == "v" and t.name not in texts])
        wanted: dict[tuple[str | None, str], None] = {}
        for table, text, invoker in found:
            texts[table.name] = text
            invokers |= {table.name} if invoker else set()
            read = read_query(text.rstrip().rstrip(";"))
            if read is not None:
                views[table.name] = View(table.name, read[0], tuple(table.columns))
                names |= read[1]
                wanted |= dict.fromkeys(name for name in table_names(read[0]) if name not in tables)
        more = await read_tables(connection, list(wanted)) if wanted else {}
        tables |= more
        waiting = list(more.values())
    functions: Functions = await read_functions(connection, sorted(names))
    catalog = Catalog(tables, views, functions.readers, functions.volatile, functions.called, frozenset(invokers))
    return catalog, texts


async def _definitions(connection: AsyncConnection[Any], views: Sequence[Table]) -> list[tuple[Table, str, bool]]:
    system = ("pg_catalog", "information_schema")
    views = [view for view in views if view.name.schema not in system]
    if not views:
        return []
    async with connection.transaction():
        await connection.execute("SET LOCAL search_path TO ''")
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
