"""What a mapping means beyond its text: a replaced view, function or type shows, and nothing else does."""

from __future__ import annotations

from collections.abc import AsyncIterator

import pytest

from connector.projection import Assembler, Projection, load
from tests.support.fixtures.postgres import Database

SHOP = """
CREATE TYPE mood AS ENUM ('new', 'paid');
CREATE TABLE orders (id int PRIMARY KEY, mood mood, moods mood[], note text);
CREATE FUNCTION inner_label(text) RETURNS text LANGUAGE sql IMMUTABLE AS 'SELECT upper($1)';
CREATE FUNCTION label(text) RETURNS text LANGUAGE sql IMMUTABLE AS 'SELECT inner_label($1)';
CREATE FUNCTION stranger(text) RETURNS text LANGUAGE sql IMMUTABLE AS 'SELECT $1';
CREATE VIEW inner_view AS SELECT id, mood, note FROM orders WHERE note <> 'hidden';
CREATE VIEW seen AS SELECT id, mood, note FROM inner_view;
"""
MAPPING = "SELECT v.id, v.mood, label(v.note) AS note FROM seen v"


@pytest.fixture
async def assembler(database: Database) -> AsyncIterator[Assembler]:
    with database.connect() as conn:
        conn.execute(SHOP)
    made = Assembler(await projected(database), read_dsn=database.dsn, statement_timeout_ms=10_000)
    yield made
    await made.aclose()


async def projected(database: Database) -> Projection:
    return await load(MAPPING, path="mapping.sql", read_dsn=database.dsn, timezone="UTC", statement_timeout_ms=10_000)


REDEFINED = {
    "a view": "CREATE OR REPLACE VIEW seen AS SELECT id, mood, 'x' || note AS note FROM inner_view",
    "a view below": "CREATE OR REPLACE VIEW inner_view AS SELECT id, mood, note FROM orders WHERE note <> 'other'",
    "a function": "CREATE OR REPLACE FUNCTION label(text) RETURNS text LANGUAGE sql IMMUTABLE AS 'SELECT lower($1)'",
    "a function below": """CREATE OR REPLACE FUNCTION inner_label(text) RETURNS text LANGUAGE plpgsql IMMUTABLE
        AS 'BEGIN RETURN lower($1); END'""",
    "a value of a type": "ALTER TYPE mood RENAME VALUE 'paid' TO 'settled'",
}


@pytest.mark.parametrize("ddl", REDEFINED.values(), ids=REDEFINED)
async def test_what_the_mapping_uses_is_seen_to_be_replaced_and_the_mapping_to_mean_something_else(
    database: Database, assembler: Assembler, ddl: str
) -> None:
    assert not await assembler.redefined()
    with database.connect() as conn:
        conn.execute(ddl.encode())
    assert await assembler.redefined()
    after = await projected(database)
    assert after.fingerprint != assembler.projection.fingerprint


async def test_other_ddl_redefines_nothing(database: Database, assembler: Assembler) -> None:
    with database.connect() as conn:
        conn.execute("ALTER TABLE orders ADD extra int; CREATE INDEX ON orders (note); COMMENT ON VIEW seen IS 'x'")
        conn.execute("CREATE OR REPLACE FUNCTION stranger(text) RETURNS text LANGUAGE sql IMMUTABLE AS 'SELECT null'")
        conn.execute("GRANT SELECT ON seen TO public; GRANT EXECUTE ON FUNCTION label TO public; ANALYZE")
    assert not await assembler.redefined()
    assert (await projected(database)).fingerprint == assembler.projection.fingerprint


SIGNED = {
    "the key's type": "ALTER TABLE lines ALTER order_id TYPE numeric",
    "the replica identity": "ALTER TABLE lines REPLICA IDENTITY FULL",
    "another table of the name": "ALTER TABLE lines RENAME TO x; CREATE TABLE lines (LIKE x INCLUDING ALL)",
    "a heir": "CREATE TABLE more () INHERITS (lines)",
}


@pytest.mark.parametrize("ddl", SIGNED.values(), ids=SIGNED)
async def test_the_signature_changes_with_the_tables_and_not_with_what_makes_no_difference(
    database: Database, ddl: str
) -> None:
    text = "SELECT o.id, (SELECT sum(l.qty) FROM lines l WHERE l.order_id = o.id) AS qty FROM orders o"
    with database.connect() as conn:
        conn.execute("CREATE TABLE orders (id int PRIMARY KEY)")
        conn.execute("CREATE TABLE lines (id int PRIMARY KEY, order_id int, qty int)")

        async def signature() -> str:
            made = await load(text, path="m", read_dsn=database.dsn, timezone="UTC", statement_timeout_ms=10_000)
            return made.signature

        before = await signature()
        conn.execute("ALTER TABLE lines ADD extra int; INSERT INTO lines SELECT n, n, n FROM generate_series(1, 99) n")
        conn.execute("CREATE INDEX ON lines (order_id); ANALYZE")
        assert await signature() == before
        conn.execute(ddl.encode())
        assert await signature() != before
