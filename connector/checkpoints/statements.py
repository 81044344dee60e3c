"""The store's SQL: tables and named statements in `sql/`, read once and put into the words of one engine.

`schema.sql` and `requests.sql` make the tables of both engines, `schema_sqlite.sql` and `schema_postgres.sql` what only
one has: triggers, and some indexes and columns.

`statements.sql` holds what both engines run, `statements_sqlite.sql` and `statements_postgres.sql` what only one does.

    -- name: leftover_remove
    -- rows: key text, store_id text, order_id text
    -- Why, where it needs to be said.
    DELETE FROM leftover USING rows WHERE leftover.key = rows.key AND ...

- `:name` is a parameter. `= ANY (:name)` and `<> ALL (:name)` compare with a list.
- `rows` is a table of parameters; the header names its columns and their types. Postgres gets all rows at once, each
  column as an array. SQLite runs the statement once a row, with `rows.key` as a parameter like others.
- `FROM rows CROSS JOIN LATERAL (...)` is a query for each row.
- `INSERT ... SELECT ... FROM rows WHERE true` is `INSERT ... VALUES (...)` in SQLite, which is twice as fast there.
- `least` and `greatest` are `min` and `max` in SQLite, which give NULL when an argument is NULL: none may be.
- `json_agg(...)::text` is `json_group_array(...)` in SQLite.
- `{table}` and `{columns}`: one statement for each table that the header `tables` lists.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import cache
from importlib.resources import files
from typing import Final, Literal

Dialect = Literal["sqlite", "postgres"]

PARKED: Final[Mapping[str, str]] = {
    "line_item": "line, order_key",
    "checkpoint": "key, order_id, fingerprint, accepted_at, redo_id, missing, digest, store_id, traits",
    "leftover": "key, store_id, order_id",
    "payload": "key, store_id, order_id, sealed",
    "dead_letter": "key, reason, message, paths, fingerprint, first_seen, last_seen, attempts, status, cause,"
    " store_id, letter_group",
}
"""The tables that say what Redo holds, and their columns. Line items come first: what store they are at is known by
their orders' checkpoints."""

_SQLITE_TYPES: Final[Mapping[str, str]] = {
    "bigint": "integer",
    "smallint": "integer",
    "boolean": "integer",
    "bytea": "blob",
    "float8": "real",
}
_POSTGRES_ONLY: Final = re.compile(r' COLLATE "C"| GENERATED ALWAYS AS IDENTITY| WITH \([^)]*\)')
_SQLITE_ONLY: Final = re.compile(r" WITHOUT ROWID| AUTOINCREMENT")
_PARAMETER: Final = re.compile(r"(?<!:):([a-z_]+)")
_ROWS: Final = re.compile(r"\s(FROM|USING) rows\b")
_HEADER: Final = re.compile(r"^-- (name|rows|tables): (.*)$", re.MULTILINE)


@dataclass(frozen=True, slots=True)
class Statement:
    """`columns` of its table of parameters, if it has one, and the names of its other parameters. In SQLite all of them
    are numbered in that order."""

    name: str
    text: str
    columns: tuple[str, ...]
    parameters: tuple[str, ...]


def script(name: str) -> str:
    """The text of a file in `sql/`."""
    return files(__package__).joinpath("sql", name).read_text(encoding="utf-8")


def tables(name: str, dialect: Dialect) -> str:
    """A file of `CREATE TABLE`, which is written in the words of both engines, in those of one.

    SQLite has other types, and LIKE is written out for it. Each leaves out what only the other knows.
    """
    text = script(name)
    if dialect == "postgres":
        return _SQLITE_ONLY.sub("", text)
    text = _POSTGRES_ONLY.sub("", text)
    text = re.sub(r"\bLIKE (\w+)", lambda found: _columns_of(found[1], text), text)
    return re.sub(r"\w+", lambda found: _SQLITE_TYPES.get(found[0], found[0]), text)


def _columns_of(table: str, text: str) -> str:
    """What LIKE stands for in Postgres: the columns, and of the keys only that they are not NULL."""
    body = text.split(f"CREATE TABLE {table} (\n", 1)[1].split("\n)", 1)[0]
    columns = re.sub(r",\s*PRIMARY KEY \(.*\)", "", body)
    return columns.replace("PRIMARY KEY", "NOT NULL").strip()


@cache
def statements(dialect: Dialect) -> Mapping[str, Statement]:
    """All statements by name, as the engine runs them."""
    found = [*_read(script("statements.sql"), dialect), *_read(script(f"statements_{dialect}.sql"), dialect)]
    return {statement.name: statement for statement in found}


def _read(text: str, dialect: Dialect) -> Iterator[Statement]:
    for part in re.split(r"^(?=-- name: )", text, flags=re.MULTILINE)[1:]:
        header: dict[str, list[str]] = {"name": [], "rows": [], "tables": []}
        for field, value in _HEADER.findall(part):
            header[field] += value.split(", ")
        body = "\n".join(line for line in part.splitlines() if line and not line.startswith("--"))
        types = dict(column.split(" ", 1) for column in header["rows"])
        for table in header["tables"] or [""]:
            name = header["name"][0].replace("{table}", table)
            query = body.replace("{table}", table).replace("{columns}", PARKED.get(table, ""))
            yield (_for_sqlite if dialect == "sqlite" else _for_postgres)(name, query, types)


def _for_sqlite(name: str, query: str, types: Mapping[str, str]) -> Statement:
    columns, parameters = tuple(types), _parameters(query)
    query = re.sub(r"SELECT ((?:(?!SELECT rows).)*?)\s+FROM rows WHERE true", r"VALUES (\1)", query, flags=re.DOTALL)
    query = _ROWS.sub("", query.replace("FROM rows CROSS JOIN LATERAL", "FROM"))
    query = re.sub(r"\brows\.([a-z_]+)", lambda found: f"?{columns.index(found[1]) + 1}", query)
    query = re.sub(r"= ANY \((:[a-z_]+)\)", r"IN (SELECT value FROM json_each(\1))", query)
    query = re.sub(r"<> ALL \((:[a-z_]+)\)", r"NOT IN (SELECT value FROM json_each(\1))", query)
    query = re.sub(r"json_agg\((.*?)\)::text", r"json_group_array(\1)", query)
    query = re.sub(r"\bleast\(", "min(", re.sub(r"\bgreatest\(", "max(", query))
    query = _PARAMETER.sub(lambda found: f"?{len(columns) + parameters.index(found[1]) + 1}", query)
    return Statement(name, query, columns, parameters)


def _for_postgres(name: str, query: str, types: Mapping[str, str]) -> Statement:
    """In psycopg's words. Bytes are sent as they are (%b)."""
    parameters = _parameters(query)
    arrays = (f"%({column}){'b' if kind == 'bytea' else 's'}::{kind}[]" for column, kind in types.items())
    table = f"unnest({', '.join(arrays)}) AS rows ({', '.join(types)})"
    query = _ROWS.sub(lambda found: f"\n{found[1]} {table}", _PARAMETER.sub(r"%(\1)s", query))
    return Statement(name, query, tuple(types), parameters)


def _parameters(query: str) -> tuple[str, ...]:
    return tuple(dict.fromkeys(_PARAMETER.findall(query)))
