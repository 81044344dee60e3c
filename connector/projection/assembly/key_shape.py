"""What the texts of stored order keys mean, and which of them can no longer be a key.

A key's columns, their types and an enum's labels may change while keys are stored somewhere. Knows Postgres's types;
must not know where keys are kept.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Any, Final

from psycopg import AsyncConnection

from connector.model.errors import OrderUnreadable, SourceUnavailable
from connector.model.orders import KeyColumn, KeyShape
from connector.projection.assembly.sessions import Pool
from connector.projection.catalog.columns import Column
from connector.projection.routes.key import KeyUse
from connector.projection.sql.keys import array_literal

NOT_A_VALUE: Final = frozenset(
    {"22P02", "22003", "22007", "22008", "22009", "22015", "22023", "22P03", "22021", "22P05", "23502", "23514"}
)
"""SQLSTATEs of a text that its type, or its domain, can't be read from.
https://www.postgresql.org/docs/current/errcodes-appendix.html"""

_CAN_TELL: Final = 160000
"""Servers from this version on know whether a text can be read as a type's value, without failing."""
_WHOLE: Final = re.compile(r"-?[0-9]+")
_UUID: Final = re.compile(r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}")

_INTEGERS: Final = frozenset({"int2", "int4", "int8", "oid"})
_STRINGS: Final = frozenset({"text", "varchar", "bpchar", "name"})

_COLUMN = """
SELECT a.attnum::int, ARRAY(
  SELECT e.enumlabel::text FROM pg_catalog.pg_enum e JOIN pg_catalog.pg_type t ON t.oid = e.enumtypid
  JOIN pg_catalog.pg_namespace n ON n.oid = t.typnamespace
  WHERE n.nspname = $3 AND t.typname = $4 ORDER BY e.enumsortorder)
FROM pg_catalog.pg_attribute a WHERE a.attrelid = $1::oid AND a.attname = $2
"""


async def read_key_shape(connection: AsyncConnection[Any], key: KeyUse) -> KeyShape:
    """Raises psycopg.Error, SourceUnavailable."""
    columns = []
    for column in key.columns:
        asked = [key.table.oid, column.name, column.type_schema, column.type]
        found = await (await connection.execute(_COLUMN, asked)).fetchone()
        if found is None:
            what = f"while the mapping was analysed, column {column.name} of {key.table.name} went: it is tried again"
            raise SourceUnavailable(what)
        number, labels = found
        columns.append(KeyColumn(column.name, form(column), tuple(labels), number))
    return KeyShape(str(key.table.name), tuple(columns), key.table.oid)


def form(column: Column) -> str:
    """The same for types whose values have the same texts, so that a key stays the key when one becomes the other."""
    if column.is_enum:
        return "enum"
    if column.type_schema != "pg_catalog":
        return column.type_name
    if column.type in _INTEGERS:
        return "integer"
    if column.type in _STRINGS:
        return "text"
    if column.type == "numeric" and column.modifier >= 0:
        # https://github.com/postgres/postgres/blob/master/src/backend/utils/adt/numeric.c, numeric_typmod_scale()
        scale = (((column.modifier - 4) & 0x7FF) ^ 1024) - 1024
        return f"numeric of scale {scale}" if scale > 0 else "integer"
    return column.type


def plausible(column: KeyColumn, text: str) -> bool:
    """False when the text is surely none of the column's. What it takes more to know, the server is asked."""
    if column.form == "integer":
        return _WHOLE.fullmatch(text) is not None
    return column.form != "uuid" or _UUID.fullmatch(text) is not None


async def misfits(pool: Pool, types: Sequence[str], rows: Sequence[Sequence[str]]) -> list[int]:
    """Which of the rows have a text that its column's type can't be read from, by position."""
    if not rows:
        return []
    async with pool.session("reading order keys") as session:
        if session.connection.info.server_version >= _CAN_TELL:
            return [at for (at,) in await session.rows(_invalid(types), _arrays(rows))]
    return await _by_halves(pool, types, rows)


def _invalid(types: Sequence[str]) -> str:
    kinds = (kind.replace("'", "''") for kind in types)
    valid = " AND ".join(f"pg_catalog.pg_input_is_valid(v{number}, '{kind}')" for number, kind in enumerate(kinds, 1))
    return f"SELECT (n - 1)::int FROM {_given(len(types), ', n')} WHERE NOT ({valid}) ORDER BY n"  # noqa: S608  from the catalog


async def _by_halves(pool: Pool, types: Sequence[str], rows: Sequence[Sequence[str]]) -> list[int]:
    """Only the server can read values of its types, and its error doesn't say which one it could not read."""
    if await _readable(pool, types, rows):
        return []
    if len(rows) == 1:
        return [0]
    half = len(rows) // 2
    first = await _by_halves(pool, types, rows[:half])
    return [*first, *(half + at for at in await _by_halves(pool, types, rows[half:]))]


async def _readable(pool: Pool, types: Sequence[str], rows: Sequence[Sequence[str]]) -> bool:
    values = ", ".join(f"count(v{number}::{kind}::text)" for number, kind in enumerate(types, 1))
    query = f"SELECT {values} FROM {_given(len(types))}"  # noqa: S608  types come from the catalog
    try:
        async with pool.session("reading order keys") as session:
            await session.rows(query, _arrays(rows))
    except OrderUnreadable as error:
        if error.sqlstate not in NOT_A_VALUE:
            raise
        return False
    return True


def _given(width: int, more: str = "") -> str:
    texts = ", ".join(f"${number}::text[]" for number in range(1, width + 1))
    names = ", ".join(f"v{number}" for number in range(1, width + 1))
    return f"unnest({texts}) {'WITH ORDINALITY ' if more else ''}AS given({names}{more})"


def _arrays(rows: Sequence[Sequence[str]]) -> list[str]:
    return [array_literal(column) for column in zip(*rows, strict=True)]
