"""Texts that are no mapping: each is refused as one, and nothing but a ConfigurationError comes of it."""

from __future__ import annotations

import pytest

from connector.model.errors import ConfigurationError
from connector.model.texts import is_storable
from connector.projection import load
from connector.projection.load import access
from tests.support.fixtures.postgres import Database

GOOD = "SELECT o.no::text AS id, {} AS note FROM orders o"
ODD = {
    "nothing": "",
    "a zero byte": "SELECT 1\0",
    "a zero byte in a text": GOOD.format("'\0'"),
    "half a character": GOOD.format("'\ud800'"),
    "half a character in a name": 'SELECT o.no AS "\udfff" FROM orders o',
    "half an escaped character": GOOD.format(r"U&'\D800'"),
    "an escaped zero byte": GOOD.format(r"E'\000'"),
    "brackets": GOOD.format("(" * 3000 + "1" + ")" * 3000),
    "open brackets": GOOD.format("(" * 3000),
    "square brackets": GOOD.format("ARRAY" + "[" * 3000),
    "a long sum": GOOD.format("1" + "+1" * 5000),
    "a long concatenation": GOOD.format("'a'" + "||'a'" * 5000),
    "many NOTs": GOOD.format("NOT " * 3000 + "true"),
    "many signs": GOOD.format("- " * 3000 + "1"),
    "many casts": GOOD.format("1" + "::int" * 3000),
    "many CASEs": GOOD.format("CASE WHEN true THEN " * 1000 + "1" + " END" * 1000),
    "subqueries": "SELECT * FROM (" * 500 + "SELECT no AS id FROM orders" + ") AS x" * 500,
    "many unions": " UNION ALL ".join(["SELECT no::text AS id FROM orders"] * 150),
    "many CTEs": "WITH " + ", ".join(f"c{at} AS (SELECT 1)" for at in range(300)) + " SELECT no AS id FROM orders",
    "a huge number": GOOD.format("9" * 100_000),
    "a huge exponent": GOOD.format("1e999999"),
    "a huge name": GOOD.format('"' + "x" * 1_000_000 + '"'),
    "a huge text": GOOD.format("'" + "x" * 1_000_000 + "'"),
    "a huge comment": "/*" * 3000 + "*/" * 3000 + GOOD.format("1"),
    "an open text": GOOD.format("'"),
    "an open dollar quote": GOOD.format("$x$"),
    "an open comment": "/*" + GOOD.format("1"),
    "a bidi override": GOOD.format("'\u202e'") + " -- \u202e\u2066",
    "an invisible name": 'SELECT o.no AS id, 1 AS "\u200b" FROM orders o',
    "JSON": '{"a":' * 3000,
    "an odd order key": "-- order_key: " + "x" * 100_000 + "(" * 3000 + "\n" + GOOD.format("1"),
    "an order key of odd names": '-- order_key: "\u202e"."\ufeff"("\n")\n' + GOOD.format("1"),
    "parameters": GOOD.format("$1"),
    "percent signs": GOOD.format("'%s %(x)s %'"),
    "a form feed": GOOD.format("1\f\v\x1c\x85\u2028"),
}


async def refusal(database: Database, text: str) -> str:
    """Empty when it was taken."""
    settings = {"path": "mapping.sql", "read_dsn": database.dsn, "timezone": "UTC"}
    try:
        await load(text, statement_timeout_ms=20_000, **settings)
        await access(text, path="mapping.sql", read_dsn=database.dsn, statement_timeout_ms=20_000)
    except ConfigurationError as error:
        return str(error)
    return ""


@pytest.mark.parametrize("name", ODD)
async def test_odd_text_is_a_mapping_or_refused_as_one(database: Database, name: str) -> None:
    with database.connect() as conn:
        conn.execute("CREATE TABLE orders (no int PRIMARY KEY)")
    said = await refusal(database, ODD[name])
    assert len(said) < 50_000
    assert is_storable(said)


async def test_a_view_that_is_nested_deeply_is_read_or_refused(database: Database) -> None:
    with database.connect() as conn:
        conn.execute("CREATE TABLE orders (no int PRIMARY KEY)")
        conn.execute(f"CREATE VIEW deep AS SELECT no, {'(' * 400}no{'+1)' * 400} AS n FROM orders".encode())
        conn.execute(f"CREATE VIEW wide AS SELECT no, {'abs(' * 900}no{')' * 900} AS n FROM orders".encode())
    for view in ("deep", "wide"):
        await refusal(database, f"-- order_key: public.orders(no)\nSELECT o.no AS id, o.n AS note FROM {view} o")
