"""The store's SQL: tables and named statements in `sql/`, read once and put into the words of one engine.

`schema.sql` and `requests.sql` make the tables of both engines, `schema_sqlite.sql` and `schema_postgres.sql` what only
one has: triggers, and some indexes and columns.

`statements.sql` holds what both engines run, `statements_sqlite.sql` and `statements_postgres.sql` what only one does.

    -- name: ledger_leave
    -- rows: key, revision
    -- Why, where it needs to be said.
    DELETE FROM ledger USING rows WHERE ledger.key = rows.key AND ...

- `:name` is a parameter. `= ANY (:name)` and `<> ALL (:name)` compare with a list.
- `rows` is a table of parameters; the header names its columns. One that is none of the schema's has its type there,
  too: a name has one type in all tables. Postgres gets all rows at once, each column as an array. SQLite runs the
  statement once a row, with `rows.key` as a parameter like others.
- `INSERT INTO ledger {rows}` inserts all of them: in SQLite with VALUES, twice as fast there as SELECT. `{each}` stands
  for the columns, `rows.key, ...`.
- `FROM rows CROSS JOIN LATERAL (...)` is a query for each row.
- `least` and `greatest` are `min` and `max` in SQLite, which give NULL when an argument is NULL: none may be.
- `json_agg(...)::text` is `json_group_array(...)` in SQLite.
- `{table}`: one statement for each table that the header `tables` lists. `{columns}` are all columns of that table,
  `{key}` those of its primary key, `{rest}` the same without `key`; `{replaced}` sets the others to what is inserted.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import cache
from importlib.resources import files
from typing import Final, Literal

Dialect = Literal["sqlite", "postgres"]

PARKED: Final = ("line_item", "checkpoint", "leftover", "payload", "dead_letter")
"""The tables that say what Redo holds. Line items come first: what store they are at is known by their orders'
checkpoints."""

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
_TABLE: Final = re.compile(r"^CREATE TABLE (\w+) \(\n(.*?)^\)", re.MULTILINE | re.DOTALL)
_COLUMN: Final = re.compile(r"^  (\w+) +([a-z]\w+)", re.MULTILINE)
_KEY: Final = re.compile(r"PRIMARY KEY \((.*)\)|(\w+) .*PRIMARY KEY")


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
    body = dict(_TABLE.findall(text))[table]
    columns = re.sub(r",\s*PRIMARY KEY \(.*\)", "", body)
    return columns.replace("PRIMARY KEY", "NOT NULL").strip()


@cache
def statements(dialect: Dialect) -> Mapping[str, Statement]:
    """All statements by name, as the engine runs them."""
    found = [*_read(script("statements.sql"), dialect), *_read(script(f"statements_{dialect}.sql"), dialect)]
    return {statement.name: statement for statement in found}


def _read(text: str, dialect: Dialect) -> Iterator[Statement]:
    made = dict(_TABLE.findall(script("schema.sql")))
    types = {name: kind for body in made.values() for name, kind in _COLUMN.findall(body)}
    for part in re.split(r"^(?=-- name: )", text, flags=re.MULTILINE)[1:]:
        header = dict(_HEADER.findall(part))
        body = "\n".join(line for line in part.splitlines() if line and not line.startswith("--"))
        for table in header.get("tables", "").split(", "):
            words = _words(table, made[table]) if table else {}
            name, rows, query = (_put_in(words, text) for text in (header["name"], header.get("rows", ""), body))
            columns = [column.split(" ", 1) for column in rows.split(", ") if column]
            given = {name: kind[0] if kind else types[name] for name, *kind in columns}
            query = query.replace("{each}", ", ".join(f"rows.{column}" for column in given))
            yield (_for_sqlite if dialect == "sqlite" else _for_postgres)(name, query, given)


def _words(table: str, body: str) -> dict[str, str]:
    """What stands in braces, of a table as it is made."""
    columns = [name for name, _ in _COLUMN.findall(body)]
    key = next(several.split(", ") if several else [one] for several, one in _KEY.findall(body))
    rest = [name for name in key if name != "key"]
    replaced = [f"{name} = excluded.{name}" for name in columns if name not in key]
    lists = {"columns": columns, "key": key, "rest": rest, "replaced": replaced}
    return {"table": table, **{word: ", ".join(names) for word, names in lists.items()}}


def _put_in(words: Mapping[str, str], text: str) -> str:
    return re.sub(r"\{(\w+)\}", lambda found: words.get(found[1], found[0]), text)


def _for_sqlite(name: str, query: str, types: Mapping[str, str]) -> Statement:
    columns, parameters = tuple(types), _parameters(query)
    query = query.replace("{rows}", f"({', '.join(columns)}) VALUES ({', '.join(f'rows.{name}' for name in columns)})")
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
    names = ", ".join(types)
    arrays = (f"%({column}){'b' if kind == 'bytea' else 's'}::{kind}[]" for column, kind in types.items())
    table = f"unnest({', '.join(arrays)}) AS rows ({names})"
    query = query.replace("{rows}", "({names}) SELECT * FROM rows").replace("{names}", names)
    query = _ROWS.sub(lambda found: f"\n{found[1]} {table}", _PARAMETER.sub(r"%(\1)s", query))
    return Statement(name, query, tuple(types), parameters)


def _parameters(query: str) -> tuple[str, ...]:
    return tuple(dict.fromkeys(_PARAMETER.findall(query)))
