"""Keys that are none of their columns' values, of whatever type: found out, and harmless to the others in a batch."""

from __future__ import annotations

from contextlib import aclosing, suppress

import pytest

from connector.model.errors import OrderUnreadable
from connector.model.orders import OrderKey, encoded
from connector.projection import Assembler, load
from tests.support.fixtures.postgres import Database

ODD = [
    "",
    " ",
    "abc",
    "\u0000",
    "\ud800",
    "\u202e\u200b",
    "\N{ARABIC-INDIC DIGIT SEVEN}",
    "9" * 5000,
    "-9223372036854775809",
    "1e999999",
    "NaN",
    "infinity",
    "NULL",
    "'; SELECT 1 --",
    "{1,2}",
    '"',
    "\\x0",
    "\\",
    "[" * 3000,
    '{"a":' * 3000,
    '["1","2"]',
    '["1"]',
    '["1",2]',
    '["\\u0000","a"]',
    "294277-01-01",
    "2026-02-30",
    "2026-01-01 00:00 Nowhere/Land",
    "<former key 1> 7",
    "a0eebc99-9c0b-4ef8-bb6d-6bb9bd380a1g",
    "x" * 1_000_000,
]
TYPES = {
    "bigint": "7",
    "int2": "7",
    "numeric(12,2)": "7.00",
    "text": "seven",
    "varchar(8)": "seven",
    "char(8)": "seven",
    "uuid": "a0eebc99-9c0b-4ef8-bb6d-6bb9bd380a11",
    "bytea": "\\x07",
    "date": "2026-01-07",
    "timestamptz": "2026-01-07 00:00:00+00",
    "mood": "happy",
    "code": "seven",
    '"a]b$1"': "seven",
}
SETUP = """
CREATE TYPE mood AS ENUM ('sad', 'happy');
CREATE DOMAIN code AS text CHECK (value ~ '^[a-z]+$');
CREATE TYPE "a]b$1" AS ENUM ('six', 'seven');
"""


async def assembler_of(database: Database, columns: str, key: str) -> Assembler:
    with database.connect() as conn:
        conn.execute(f"CREATE TABLE orders ({columns}, PRIMARY KEY ({key}))".encode())
    text = f"-- order_key: public.orders({key})\nSELECT ({key})::text AS id FROM orders"
    projection = await load(
        text, path="mapping.sql", read_dsn=database.dsn, timezone="UTC", statement_timeout_ms=20_000
    )
    return Assembler(projection, read_dsn=database.dsn, statement_timeout_ms=20_000)


async def harmless(assembler: Assembler, good: OrderKey) -> None:
    keys = [*map(OrderKey, ODD[:15]), good, *map(OrderKey, ODD[15:])]
    found = await assembler.assemble(keys)
    assert good in found.rows
    assert good not in found.misfits
    assert good not in await assembler.absent(keys)
    assert good not in await assembler.misfits(keys)
    assert {*keys} - {*found.rows} >= found.misfits
    for odd in ODD:
        alone = await assembler.assemble([OrderKey(odd)])
        assert (OrderKey(odd) in found.misfits) == (OrderKey(odd) in alone.misfits)
        with suppress(OrderUnreadable):
            assert len((await assembler.scan(odd, 5)).keys) <= 1


@pytest.mark.parametrize("kind", TYPES)
async def test_keys_that_are_no_value_of_the_type_harm_no_other(database: Database, kind: str) -> None:
    with database.connect() as conn:
        conn.execute(SETUP)
    async with aclosing(await assembler_of(database, f"no {kind}", "no")) as assembler:
        with database.connect() as conn:
            conn.execute(f"INSERT INTO orders VALUES ('{TYPES[kind]}')".encode())
            (text,) = conn.execute("SELECT no::text FROM orders").fetchone() or ("",)
        await harmless(assembler, encoded([text]))


async def test_keys_of_too_many_or_few_parts_harm_no_other(database: Database) -> None:
    with database.connect() as conn:
        conn.execute(SETUP)
    async with aclosing(await assembler_of(database, "no bigint, part mood", "no, part")) as assembler:
        with database.connect() as conn:
            conn.execute("INSERT INTO orders VALUES (7, 'happy')")
        await harmless(assembler, encoded(["7", "happy"]))
