"""Which table each name without a schema meant as orders were followed last, and that it still does.

A table of the name that appears in a schema earlier on the path, or another path, would make every order one of that
table: all that isn't in it would count as gone. A person says which is meant, by writing the schema. No I/O.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

from connector.model.changes import TableName
from connector.model.errors import Problem
from connector.projection.sql.keys import quoted

NAMES_NOTE: Final = "mapping_names"
"""Of the checkpoints: what `dump` makes."""


@dataclass(frozen=True, slots=True)
class PathName:
    """A table or view that is named without its schema, and where that is."""

    table: TableName
    oid: int
    where: str


def dump(names: Mapping[str, PathName]) -> str:
    return json.dumps({name: [found.table.schema, found.oid] for name, found in sorted(names.items())})


def moved(names: Mapping[str, PathName], noted: str | None) -> list[Problem]:
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
