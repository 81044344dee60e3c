"""What the catalog says about a schema's tables, and the values that fit their columns."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from random import Random
from typing import Any, Final

import psycopg

from tests.system.oracle.worlds import World

_COLUMNS: Final = """
SELECT c.oid::regclass::text, n.nspname || '.' || c.relname, a.attname, format_type(a.atttypid, -1), a.attnotnull,
    a.attidentity <> '' OR coalesce(pg_get_expr(d.adbin, d.adrelid), '') LIKE 'nextval%',
    coalesce(a.attnum = ANY (i.indkey), false), a.atttypmod, t.typcategory::text,
    EXISTS (SELECT FROM pg_index u WHERE u.indrelid = c.oid AND u.indisunique AND a.attnum = ANY (u.indkey))
FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
JOIN pg_attribute a ON a.attrelid = c.oid AND a.attnum > 0 AND NOT a.attisdropped AND a.attgenerated = ''
JOIN pg_type t ON t.oid = a.atttypid
LEFT JOIN pg_attrdef d ON d.adrelid = c.oid AND d.adnum = a.attnum
LEFT JOIN pg_index i ON i.indrelid = c.oid AND i.indisprimary
WHERE c.relkind IN ('r', 'p') AND NOT c.relispartition
  AND n.nspname <> 'information_schema' AND n.nspname NOT LIKE 'pg\\_%'
ORDER BY 2, a.attnum"""

_REFERENCES: Final = """
SELECT n.nspname || '.' || c.relname, tn.nspname || '.' || tc.relname,
    (SELECT array_agg(a.attname::text ORDER BY k.place) FROM unnest(f.conkey) WITH ORDINALITY k (num, place)
        JOIN pg_attribute a ON a.attrelid = f.conrelid AND a.attnum = k.num),
    (SELECT array_agg(a.attname::text ORDER BY k.place) FROM unnest(f.confkey) WITH ORDINALITY k (num, place)
        JOIN pg_attribute a ON a.attrelid = f.confrelid AND a.attnum = k.num)
FROM pg_constraint f
JOIN pg_class c ON c.oid = f.conrelid JOIN pg_namespace n ON n.oid = c.relnamespace
JOIN pg_class tc ON tc.oid = f.confrelid JOIN pg_namespace tn ON tn.oid = tc.relnamespace
WHERE f.contype = 'f' AND NOT c.relispartition AND NOT tc.relispartition ORDER BY 1, f.conname"""

_WORDS: Final = ("ash", "birch", "cedar", "O'Elm", "fir ")
_VALUES: Final[Mapping[str, Sequence[str]]] = {
    "N": ("1", "2", "3", "5"),
    "S": _WORDS,
    "B": ("true", "false"),
    "D": ("2024-01-01 10:00:00", "2024-02-29 12:30:00.5", "2024-03-05 00:00:00"),
    "U": ('{"a": 1}', "[]", '{"b": "x"}'),
}


@dataclass(frozen=True, slots=True)
class Column:
    name: str
    type: str
    required: bool
    generated: bool
    """The database numbers it."""
    in_key: bool
    length: int | None
    category: str
    unique: bool
    """Alone or with others."""


@dataclass(frozen=True, slots=True)
class Reference:
    """These columns hold those of a row of another table."""

    columns: tuple[str, ...]
    table: str
    targets: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Table:
    """`name` is `schema.table` as the catalog spells it, `sql` the same for a statement."""

    name: str
    sql: str
    columns: tuple[Column, ...]
    references: tuple[Reference, ...]

    @property
    def key(self) -> tuple[str, ...]:
        return tuple(column.name for column in self.columns if column.in_key)


def read_tables(connection: psycopg.Connection[Any], world: World) -> dict[str, Table]:
    """The world's tables, those that others refer to first."""
    columns: dict[str, list[Column]] = {}
    spelled: dict[str, str] = {}
    for sql, name, column, kind, required, generated, in_key, modifier, category, unique in connection.execute(
        _COLUMNS
    ):
        spelled[name] = sql
        length = modifier - 4 if category == "S" and modifier > 4 else None
        columns.setdefault(name, []).append(Column(column, kind, required, generated, in_key, length, category, unique))
    references: dict[str, list[Reference]] = {name: [] for name in columns}
    for name, target, ours, theirs in connection.execute(_REFERENCES):
        references[name].append(Reference(tuple(ours), target, tuple(theirs)))
    for column, wanted in world.references.items():
        (name, ours), (target, theirs) = column.rsplit(".", 1), wanted.rsplit(".", 1)
        if not any(ours in known.columns for known in references[name]):
            references[name].append(Reference((ours,), target, (theirs,)))
    made = {name: Table(name, spelled[name], tuple(columns[name]), tuple(references[name])) for name in columns}
    chosen = set(world.only or made) - world.apart
    return {name: made[name] for name in _parents_first(made) if name in chosen}


def _parents_first(tables: Mapping[str, Table]) -> list[str]:
    done: dict[str, None] = {}

    def visit(name: str, above: tuple[str, ...]) -> None:
        if name in done or name in above:
            return
        for reference in tables[name].references:
            visit(reference.table, (*above, name))
        done[name] = None

    for name in tables:
        visit(name, ())
    return list(done)


def value(world: World, table: Table, column: Column, random: Random) -> str | None:
    """A value in text form for a column that refers to nothing."""
    for name in (f"{table.name}.{column.name}", f"{table.name.partition('.')[2]}.{column.name}", column.name):
        if name in world.values:
            return random.choice(world.values[name])
    if not column.required and random.random() < 0.15:
        return None
    if column.type == "uuid":
        return f"{random.randrange(64 if column.unique else 8):08x}-0000-4000-8000-000000000000"
    if column.unique and column.category == "N":
        return str(random.randrange(1, 64))
    chosen = random.choice(_VALUES.get(column.category, _WORDS))
    if column.unique and column.category == "S":
        chosen = f"{random.randrange(16):x}{chosen}"
    return chosen[: column.length] if column.length else chosen


def free_columns(table: Table) -> Iterator[Column]:
    """Columns that refer to nothing."""
    bound = {name for reference in table.references for name in reference.columns}
    return (column for column in table.columns if column.name not in bound)
