"""Some order keys from all over the key range, for a person who wants to know how a mapping does.

Not for sweeps: those walk the keys in order. No I/O: `Assembler.sample` runs it.
"""
# ruff: noqa: S608  names come quoted from the catalog, values as parameters

from __future__ import annotations

from connector.projection.assembly.projection import Projection
from connector.projection.sql.keys import quoted

_READ_WHOLE = 100_000
"""Keys of a table with no more rows are all read; of a larger one, those on some of its pages."""
_SPARE = 400
"""Keys read for each one wanted. A page holds up to 200 or so, mostly neighbours: so about two pages for each."""


def query(projection: Projection, size: int, rows: int) -> str:
    """At most `size` keys (the parameter) in key order, at equal distances, from the first to the last of those read.
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
