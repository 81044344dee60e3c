"""Which tables the names without a schema mean, so that what runs names them in full, and reads these whatever else is
put into, or before, a schema of the search path. No I/O."""

from __future__ import annotations

from connector.model.changes import TableName
from connector.projection.analysis.scopes import Scope, Source


def found_by_path(top: Scope) -> dict[int, TableName]:
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
