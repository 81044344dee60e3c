"""The SQL that assembly runs, as text. Each statement is one read, so one snapshot. No I/O."""
# ruff: noqa: S608  names come quoted from the catalog, the mapping is the operator's SQL, values are parameters

from __future__ import annotations

from itertools import pairwise

import sqlglot
from sqlglot.tokenizer_core import TokenType

from connector.postgres.quoting import quoted
from connector.projection.assembly.projection import Projection
from connector.projection.routes.route import Index, Lookup
from connector.projection.sql.keys import among

_SNAPSHOT = "pg_catalog.pg_current_snapshot()::text"
ROW = "__order_row"
"""A row as a whole: must not be the name of one of its columns."""
_READ_WHOLE = 100_000
"""Keys of a table with no more rows are all read; of a larger one, those on some of its pages."""
_SPARE = 400
"""Keys read for each one wanted. A page holds up to 200 or so, mostly neighbours: so about two pages for each."""


def documents(projection: Projection, query: str, keys: list[str]) -> str:
    """Rows of a query as JSON text, with expressions over `m` before it."""
    columns = ", ".join(quoted("m", name) for name in projection.columns)
    before = "".join(f", {key}" for key in keys)
    source = f"(\n{query}\n) AS m CROSS JOIN LATERAL (SELECT {columns}) AS {ROW}"
    return f"SELECT pg_catalog.row_to_json({ROW})::text{before} FROM {source}"


def assemble(projection: Projection) -> str:
    """First a row with the snapshot; then a row for each document: NULL, the document (NULL when it has more bytes than
    the last parameter says), its bytes, the key's texts; then a row for each member of the reverse index: `@...`, the
    row's identity, NULL, the key's texts."""
    nulls = ", NULL::text, NULL::int4" + ", NULL::text" * len(projection.key_outputs)
    parts = [order_rows(projection), *(members(index, name) for name, index in projection.indexes.items())]
    return f"SELECT {_SNAPSHOT}{nulls} UNION ALL {' UNION ALL '.join(parts)}"


def of_one_order(query: str, width: int) -> str:
    """The same for one order, whose key has so many columns: planned once for any, it is planned for arrays of one
    value. Of an array that isn't known Postgres supposes ten (`estimate_array_length`)."""
    parts, end = [], 0
    tokens = sqlglot.tokenize(query, read="postgres")
    for at, (sign, number) in enumerate(pairwise(tokens)):
        if sign.token_type == TokenType.PARAMETER and int(number.text) <= width:
            closed = next(token for token in tokens[at:] if token.token_type == TokenType.R_BRACKET)
            parts += [query[end : sign.start], f"ARRAY[({query[sign.start : closed.end + 1]})[1]]"]
            end = closed.end + 1
    return "".join([*parts, query[end:]])


def order_rows(projection: Projection) -> str:
    """The part of `assemble` that gives the documents."""
    keys = "".join(f", {quoted('m', name)}::text" for name in projection.key_outputs)
    limit = f"${len(projection.key_outputs) + 1}::int8"
    size = "pg_catalog.octet_length(d.document)"
    columns = ", ".join(quoted("m", name) for name in projection.columns)
    # OFFSET keeps the planner from writing the document's expression out in each place, to be computed each time.
    return (
        f"SELECT NULL, CASE WHEN {size} <= {limit} THEN d.document END, {size}{keys} "
        f"FROM (\n{projection.restricted}\n) AS m CROSS JOIN LATERAL (SELECT {columns}) AS {ROW} "
        f"CROSS JOIN LATERAL (SELECT pg_catalog.row_to_json({ROW})::text AS document OFFSET 0) AS d"
    )


def members(index: Index, name: str) -> str:
    """The part of `assemble` for an index: its name, a row's identity as a JSON list of texts, the key's texts."""
    width = index.sql.split(" FROM ", 1)[0].count(" AS k")
    row = ", ".join(f"i.r{number}::text" for number in range(1, len(index.columns) + 1))
    texts = "".join(f", i.k{number}::text" for number in range(1, width + 1))
    literal = "'" + name.replace("'", "''") + "'"
    return f"SELECT {literal}, pg_catalog.json_build_array({row})::text, NULL{texts} FROM ({index.sql}) AS i"


def page(projection: Projection, lookup: Lookup | None, continued: bool) -> str:
    """Keys after a position, in key order, as `k1`, `k2`, ... Parameters: the lookup's arrays, the position, the
    limit. Sorted and compared as the column's own type and collation say."""
    names = [f"k{number}" for number in range(1, len(projection.key) + 1)]
    first = len(lookup.value_types) + 1 if lookup else 1
    types = lookup.key_types if lookup else projection.key_types
    query = lookup.sql if lookup else scan(projection)
    after = ""
    if continued:
        position = ", ".join(f"${first + number}::{kind}" for number, kind in enumerate(types))
        after = f" WHERE ({', '.join(names)}) > ({position})"
        first += len(names)
    return f"SELECT {', '.join(names)} FROM ({query}) AS q{after} ORDER BY {', '.join(names)} LIMIT ${first}::int8"


def scan(projection: Projection) -> str:
    columns = [quoted("t", name) for name in projection.key]
    outputs = ", ".join(f"{column} AS k{number}" for number, column in enumerate(columns, 1))
    if projection.order_table_key_is_primary:
        return f"SELECT {outputs} FROM {_order_table(projection)} AS t"
    there = " AND ".join(f"{column} IS NOT NULL" for column in columns)
    return f"SELECT DISTINCT {outputs} FROM {_order_table(projection)} AS t WHERE {there}"


def last(projection: Projection) -> str:
    """Texts of the last keys in key order, the last one first. The parameter says how many."""
    names = [f"k{number}" for number in range(1, len(projection.key) + 1)]
    texts = ", ".join(f"q.{name}::text" for name in names)
    order = ", ".join(f"{name} DESC" for name in names)
    # Inside, beside the DISTINCT: an index on the key is then read from its end.
    found = f"{scan(projection)} ORDER BY {order} LIMIT $1::int8"
    # By name the texts would be meant.
    last_first = ", ".join(f"q.{name} DESC" for name in names)
    return f"SELECT {texts} FROM ({found}) AS q ORDER BY {last_first}"


def with_snapshot(query: str) -> str:
    """One row: the snapshot, and the query's rows in order, each a JSON list of texts."""
    return f"SELECT {_SNAPSHOT}, ARRAY(SELECT {_texts(query)} FROM ({query}) AS page)"


def _texts(query: str) -> str:
    width = query.split(" FROM ", 1)[0].count(",") + 1
    return f"pg_catalog.json_build_array({', '.join(f'page.k{number}::text' for number in range(1, width + 1))})::text"


def present(projection: Projection) -> str:
    """Texts of those of the asked keys that have a row."""
    columns = [quoted("t", name) for name in projection.key]
    texts = ", ".join(f"{column}::text" for column in columns)
    return f"SELECT {texts} FROM {_order_table(projection)} AS t WHERE {among(columns, list(projection.key_types))}"


def sample(projection: Projection, size: int, rows: int) -> str:
    """Some keys from all over the key range, for a person who wants to know how a mapping does; sweeps walk the keys in
    order. At most `size` (the parameter) in key order, at equal distances, from the first to the last of those read.
    `rows`: about how many orders there are. The same keys again as long as the table stays the same.

    https://www.postgresql.org/docs/current/sql-select.html#SQL-FROM, TABLESAMPLE
    """
    percent = None if rows <= max(_READ_WHOLE, size * _SPARE) else 100 * size * _SPARE / rows
    columns = [quoted("t", name) for name in projection.key]
    names = [f"k{number}" for number in range(1, len(columns) + 1)]
    outputs = ", ".join(f"{column} AS {name}" for column, name in zip(columns, names, strict=True))
    there = " AND ".join(f"{column} IS NOT NULL" for column in columns)
    pages = "" if percent is None else f" TABLESAMPLE SYSTEM ({percent:.6f}) REPEATABLE (1)"
    table = quoted(projection.order_table.schema, projection.order_table.name)
    distinct = f"SELECT DISTINCT {outputs} FROM {table} AS t{pages} WHERE {there}"
    order = ", ".join(names)
    # By name the texts would be meant.
    last = ", ".join(f"placed.{name}" for name in names)
    texts = ", ".join(f"{name}::text" for name in names)
    # Each key's place among the n picked ones; the first key of each place is taken.
    place = "CASE WHEN last = 0 THEN 0 ELSE (number * ($1::int8 - 1)) / last END"
    return (
        f"WITH found AS ({distinct}), "
        f"numbered AS (SELECT *, row_number() OVER (ORDER BY {order}) - 1 AS number, "
        f"count(*) OVER () - 1 AS last FROM found), "
        f"placed AS (SELECT *, row_number() OVER (PARTITION BY {place} ORDER BY number) AS nth FROM numbered) "
        f"SELECT {texts} FROM placed WHERE nth = 1 ORDER BY {last}"
    )


def count(projection: Projection) -> str:
    """The order table's rows, counted up to `$1`."""
    return f"SELECT pg_catalog.count(*) FROM (SELECT 1 FROM {_order_table(projection)} LIMIT $1::int8) AS t"


def explain_count(projection: Projection) -> str:
    """The plan of reading the order table, with the planner's count of its rows."""
    return f"EXPLAIN (FORMAT JSON) SELECT 1 FROM {_order_table(projection)}"


def _order_table(projection: Projection) -> str:
    return quoted(projection.order_table.schema, projection.order_table.name)
