"""The mappings in tests/projection/mappings: the text of each and what its last comment lines expect of it.

`-- key TABLE(COLUMNS)`, `-- ALIAS: ROUTE COLUMNS [if CONDITIONS] [via TABLES [(CONDITIONS)]]` for each use,
`-- restricted N` times in the query, `-- id FORMAT` of the key's texts (`none`: id is more than the key),
`-- warning LINE:COLUMN TEXT`. Of a refused one, for each problem `-- problem LINE:COLUMN TEXT` and `-- hint TEXT`
(`...`: the server's own words), and `-- instead CASE`, an accepted mapping that is what the hint says.
`-- sweep_tables NAMES`: the mapping is loaded with these. `-- index STATEMENT`: asked for, of a shop's mapping.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from zlib import crc32

import psycopg
import pytest

from connector.projection import Projection
from connector.projection.routes.route import Hop
from tests.support.fixtures.postgres import Database, create_database, drop_database

DIRECTORY = Path(__file__).parent / "mappings"


@dataclass(frozen=True, slots=True)
class Case:
    name: str
    text: str
    key: str | None = None
    uses: tuple[str, ...] = ()
    restricted: int | None = None
    id_format: str = "{0}"
    problems: tuple[str, ...] = field(default=())
    hints: tuple[str, ...] = field(default=())
    instead: tuple[str, ...] = field(default=())
    warnings: tuple[str, ...] = field(default=())
    sweep_tables: tuple[str, ...] = field(default=())
    indexes: tuple[str, ...] = field(default=())


_WORDS = ("key", "restricted", "id", "problem", "hint", "instead", "warning", "sweep_tables", "index")


def read(path: Path) -> Case:
    text = path.read_text()
    body, expected = text, []
    for line in reversed(text.splitlines()):
        if not line.startswith("-- "):
            break
        expected.append(line[3:])
    facts: dict[str, list[str]] = {}
    for line in reversed(expected):
        word, _, rest = line.partition(" ")
        facts.setdefault(word if word in _WORDS else "use", []).append(rest if word in _WORDS else line)
    return Case(
        path.stem,
        body,
        key=next(iter(facts.get("key", [])), None),
        uses=tuple(facts.get("use", ())),
        restricted=int(facts["restricted"][0]) if "restricted" in facts else None,
        id_format=next(iter(facts.get("id", [])), "{0}"),
        problems=tuple(facts.get("problem", ())),
        hints=tuple(facts.get("hint", ())),
        instead=tuple(facts.get("instead", ())),
        warnings=tuple(facts.get("warning", ())),
        sweep_tables=tuple(facts.get("sweep_tables", [""])[0].split()),
        indexes=tuple(facts.get("index", ())),
    )


CASES = [read(path) for path in sorted(DIRECTORY.glob("*.sql")) if path.name != "schema.sql"]
ACCEPTED = [case for case in CASES if not case.problems]
REFUSED = [case for case in CASES if case.problems]


def uses_of(projection: Projection) -> list[str]:
    """The projection's uses in the words of the case files."""
    found = []
    lookups = {use.route.lookup.sql: use.route.lookup for use in projection.uses if use.route.lookup}
    for table in projection.explain()["tables"]:
        for use in table["uses"]:
            met = f" if {' AND '.join(use['conditions'])}" if use["conditions"] else ""
            hops = lookups[use["reverse_sql"]].hops if use["reverse_sql"] else ()
            via = f" via {', '.join(map(_hop, hops))}" if hops else ""
            found.append(f"{use['alias']}: {use['route']} {', '.join(use['columns'])}{met}{via}")
    return found


def _hop(hop: Hop) -> str:
    conditions = " AND ".join(each.on(each.column.name) for each in hop.filters)
    return f"{hop.table.name} ({conditions})" if conditions else str(hop.table.name)


def one_in(parts: int, cases: Iterable[Case]) -> list[Any]:
    """The cases as parameters, of which one in so many is tried at once and the others by `make test-long`."""
    return [
        pytest.param(case, id=case.name, marks=[pytest.mark.long] if crc32(case.name.encode()) % parts else [])
        for case in cases
    ]


def create_schema(connection: psycopg.Connection[Any]) -> None:
    connection.execute((DIRECTORY / "schema.sql").read_text())


@pytest.fixture(scope="module")
def shop_template(cluster: Any) -> Iterator[Database]:
    """A database with the tables of schema.sql, empty: for tests that only read it, and to copy."""
    made = create_database(cluster)
    with made.connect() as connection:
        create_schema(connection)
    yield made
    drop_database(cluster, made.name)


@pytest.fixture
def shop(cluster: Any, shop_template: Database) -> Iterator[Database]:
    """An empty database with the tables of schema.sql, of one test's own."""
    made = create_database(cluster, shop_template.name)
    yield made
    drop_database(cluster, made.name)
