"""Which tables the names without a schema mean, so that what runs names them in full, and reads these whatever else is
put into, or before, a schema of the search path; and that they still mean what they meant as orders were followed last.

A table of the name that appears in a schema earlier on the path, or another path, would make every order one of that
table: all that isn't in it would count as gone. A person says which is meant, by writing the schema.
"""

from __future__ import annotations

import json
from collections.abc import Mapping as Dictionary
from dataclasses import dataclass
from typing import Any, Final

from psycopg import AsyncConnection

from connector.model.changes import TableName
from connector.model.errors import Problem
from connector.postgres.quoting import quoted
from connector.projection.analysis.scopes import Scope, Source
from connector.projection.catalog.search_path import SearchPath
from connector.projection.catalog.tables import Catalog, schemas_with
from connector.projection.catalog.untrusted import revoked
from connector.projection.sql.mapping import Mapping

NAMES_NOTE: Final = "mapping_names"
"""Of the checkpoints: what `dump` makes."""


@dataclass(frozen=True, slots=True)
class PathName:
    """A table or view that is named without its schema, and where that is."""

    table: TableName
    oid: int
    where: str


def unqualified_names(top: Scope) -> dict[int, TableName]:
    """What names without a schema mean, by their offsets."""
    found: dict[int, TableName] = {}
    for scope in top.all_scopes():
        for source in scope.sources:
            name = _relation(source)
            if name is not None and source.unqualified_at is not None:
                found[source.unqualified_at] = name
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


def dump(names: Dictionary[str, PathName]) -> str:
    return json.dumps({name: [found.table.schema, found.oid] for name, found in sorted(names.items())})


def moved(names: Dictionary[str, PathName], noted: str | None) -> list[Problem]:
    """Names that mean another table than they did: one of another schema, that wasn't moved there."""
    before = json.loads(noted) if noted else {}
    return [
        _problem(name, TableName(before[name][0], found.table.name), found)
        for name, found in names.items()
        if name in before and before[name][0] != found.table.schema and before[name][1] != found.oid
    ]


def _problem(name: str, before: TableName, found: PathName) -> Problem:
    now = found.table
    what = f"{name} means {now} now, and meant {before} as orders were followed last: the mapping is not taken up"
    hint = (
        f"write {quoted(before.schema, before.name)} if nothing is to change, or {quoted(now.schema, now.name)} if the"
        f" other table is meant; {now} is found first because of the role's search_path, or {before} is gone"
    )
    return Problem(what, hint, found.where)
