"""Reads the catalog of a live database for a starter: tables, columns, keys, comments, enums. Never a row, unless it is
asked for the words of a status."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any, Final

from psycopg import AsyncConnection

from connector.inspect.starter.schema.facts import ForeignKey, Schema, TableFacts
from connector.model.changes import TableName
from connector.projection.catalog.tables import read_tables

_TABLES: Final = """
SELECT n.nspname, c.relname, quote_ident(n.nspname) || '.' || quote_ident(c.relname), c.oid::bigint,
  coalesce(obj_description(c.oid, 'pg_class'), '')
FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
WHERE c.relkind IN ('r', 'p') AND NOT c.relispartition AND c.relpersistence = 'p'
  AND n.nspname NOT LIKE 'pg\\_%' AND n.nspname NOT IN ('information_schema', 'redo_connector')
  AND ($1::text[] IS NULL OR n.nspname = ANY ($1))
  AND NOT EXISTS (SELECT FROM pg_depend d
    WHERE d.objid = c.oid AND d.classid = 'pg_class'::regclass AND d.deptype = 'e')
ORDER BY 1, 2
"""
_VIEWS: Final = """
SELECT n.nspname, c.relname FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
WHERE c.relkind IN ('v', 'm') AND n.nspname NOT LIKE 'pg\\_%' AND n.nspname <> 'information_schema' ORDER BY 1, 2
"""
_COLUMNS: Final = """
SELECT a.attrelid::bigint, a.attname, quote_ident(a.attname), col_description(a.attrelid, a.attnum),
  ARRAY(SELECT e.enumlabel::text FROM pg_enum e WHERE e.enumtypid = a.atttypid ORDER BY e.enumsortorder)
FROM pg_attribute a WHERE a.attrelid = ANY ($1::oid[]) AND a.attnum > 0 AND NOT a.attisdropped
"""
_FOREIGN_KEYS: Final = """
SELECT k.conrelid::bigint, n.nspname, c.relname,
  ARRAY(SELECT a.attname::text FROM unnest(k.conkey) WITH ORDINALITY AS u(num, i)
    JOIN pg_attribute a ON a.attrelid = k.conrelid AND a.attnum = u.num ORDER BY u.i),
  ARRAY(SELECT a.attname::text FROM unnest(k.confkey) WITH ORDINALITY AS u(num, i)
    JOIN pg_attribute a ON a.attrelid = k.confrelid AND a.attnum = u.num ORDER BY u.i)
FROM pg_constraint k JOIN pg_class c ON c.oid = k.confrelid JOIN pg_namespace n ON n.oid = c.relnamespace
WHERE k.contype = 'f' AND k.conparentid = 0 AND k.conrelid = ANY ($1::oid[]) ORDER BY k.conname
"""
_WORDS: Final = 50
_LOOKED_AT: Final = 10_000


async def read_schema(connection: AsyncConnection[Any], schemas: Sequence[str] | None) -> Schema:
    """The database's ordinary and partitioned tables, those of extensions aside. Raises psycopg.Error."""
    listed = await (await connection.execute(_TABLES, [list(schemas) if schemas else None])).fetchall()
    tables = await read_tables(connection, [(schema, name) for schema, name, *_ in listed])
    oids = [oid for *_, oid, _ in listed]
    quoted: dict[int, dict[str, str]] = defaultdict(dict)
    comments: dict[int, dict[str, str]] = defaultdict(dict)
    labels: dict[int, dict[str, tuple[str, ...]]] = defaultdict(dict)
    for oid, column, written, comment, enum in await (await connection.execute(_COLUMNS, [oids])).fetchall():
        quoted[oid][column] = written
        comments[oid] |= {column: comment} if comment else {}
        labels[oid] |= {column: tuple(enum)} if enum else {}
    keys: dict[int, list[ForeignKey]] = defaultdict(list)
    for oid, schema, name, columns, referred in await (await connection.execute(_FOREIGN_KEYS, [oids])).fetchall():
        keys[oid].append(ForeignKey(tuple(columns), TableName(schema, name), tuple(referred)))
    return {
        TableName(schema, name): TableFacts(
            tables[schema, name], written, quoted[oid], tuple(keys[oid]), labels[oid], comments[oid], comment
        )
        for schema, name, written, oid, comment in listed
    }


async def read_views(connection: AsyncConnection[Any]) -> list[TableName]:
    """Views, which have no keys to go by. Raises psycopg.Error."""
    return [TableName(*row) for row in await (await connection.execute(_VIEWS)).fetchall()]


async def with_words(connection: AsyncConnection[Any], facts: TableFacts, columns: Sequence[str]) -> TableFacts:
    """With the values of these columns among the table's first rows, where they are few: the words of a status."""
    found: dict[str, tuple[str, ...]] = dict(facts.labels)
    for column in columns:
        name = facts.quoted[column]
        query = (
            f"SELECT DISTINCT {name}::text FROM (SELECT {name} FROM {facts.written} LIMIT {_LOOKED_AT}) t "  # noqa: S608 -- quoted by the server
            f"WHERE {name} IS NOT NULL ORDER BY 1 LIMIT {_WORDS}"
        )
        rows = await (await connection.execute(query.encode())).fetchall()
        if len(rows) < _WORDS:
            found[column] = tuple(row[0] for row in rows)
    return replace(facts, labels=_plain(found))


def _plain(found: Mapping[str, tuple[str, ...]]) -> dict[str, tuple[str, ...]]:
    return {column: labels for column, labels in found.items() if labels}
