"""Which tables the names without a schema mean, so that what runs names them in full, and reads these whatever else is
put into, or before, a schema of the search path.
"""

from __future__ import annotations

from typing import Any

from psycopg import AsyncConnection

from connector.model.changes import TableName
from connector.model.errors import Problem
from connector.projection.analysis.scopes import Scope, Source
from connector.projection.catalog.resolution import PathName
from connector.projection.catalog.search_path import SearchPath
from connector.projection.catalog.tables import Catalog, schemas_with
from connector.projection.catalog.untrusted import revoked
from connector.projection.sql.keys import quoted
from connector.projection.sql.mapping import Mapping


def unqualified_names(top: Scope) -> dict[int, TableName]:
    """What names without a schema mean, by their offsets."""
    found: dict[int, TableName] = {}
    for scope in top.all_scopes():
        for source in scope.sources:
            name = _relation(source)
            if name is not None and source.bare_at is not None:
                found[source.bare_at] = name
    return dict(sorted(found.items()))


def _relation(source: Source) -> TableName | None:
    if source.table is not None:
        return source.table.name
    return source.inner.view if source.inner is not None else None


async def ambiguous_names(
    mapping: Mapping, connection: AsyncConnection[Any], names: dict[int, TableName], path: SearchPath
) -> list[Problem]:
    """Tables that are found before another one of their name, in a schema that others may create in."""
    wanted = {at: name for at, name in names.items() if name.schema in path.open}
    there = await schemas_with(connection, sorted({name.name for name in wanted.values()}), path.names.path)
    return [
        mapping.problem(
            f"{name.name} means {name}, in a schema that others may create in, though there is"
            f" {', '.join(f'{schema}.{name.name}' for schema in there[name.name] if schema != name.schema)}",
            at,
            f"write {quoted(name.schema, name.name)} if that is meant, or let a DBA run: {revoked(name.schema)}",
        )
        for at, name in wanted.items()
        if there.get(name.name, [name.schema])[1:] and there[name.name][0] == name.schema
    ]


def path_names(mapping: Mapping, found: dict[int, TableName], catalog: Catalog) -> dict[str, PathName]:
    oids = {table.name: table.oid for table in catalog.tables.values()}
    return {name.name: PathName(name, oids[name], mapping.where(at)) for at, name in reversed(found.items())}
