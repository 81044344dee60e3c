"""Everything that a legacy table may hold: in followed tables, in documents, as routed columns, as order keys."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator
from contextlib import aclosing, asynccontextmanager, suppress
from pathlib import Path

import psycopg
import pytest

from connector.model.errors import OrderUnreadable
from connector.model.orders import OrderKey
from connector.projection import Assembler, load
from connector.sandbox.server import SandboxServer
from connector.source.stream.postgres_source import PostgresSource
from tests.support.fixtures.connector import Rig
from tests.support.fixtures.postgres import Database
from tests.support.oms.minimal_mapping import mapping

UGLY = r"E' \u0301\uffff\u202e\u0001\u007f\n\t\\\"''😀{},null\r '"
"""A lone combining mark, a noncharacter, a change of direction, control characters, quotes of several kinds, blanks."""

TYPES = """
CREATE TYPE mood AS ENUM ('sad', 'so so', 'happy, "really"', '😀');
CREATE TYPE spot AS (x int, label text);
CREATE DOMAIN code AS varchar(20) CHECK (value <> '');
CREATE DOMAIN folded AS text CHECK (value = lower(value));
CREATE DOMAIN padded AS char(8);
CREATE DOMAIN positive AS int CHECK (value > 0);
"""

# By type: values that are all different, ugly ones among them.
VALUES: dict[str, tuple[str, ...]] = {
    "smallint": ("-32768", "0", "32767"),
    "bigint": ("-9223372036854775808", "9223372036854775807"),
    "oid": ("0", "4294967295"),
    "numeric(12,3)": ("'NaN'", "-0.001", "99999999.999"),
    "numeric": ("'NaN'", "1.10", "1e200", "-1e-50"),
    "real": ("'NaN'", "'Infinity'", "'-0'", "1.1754944e-38", "3.4028235e38"),
    "double precision": ("'NaN'", "'-Infinity'", "0.1", "5e-324", "1.7976931348623157e308"),
    "money": ("'-$92,233,720,368,547,758.08'", "'$0.01'"),
    "boolean": ("true", "false"),
    "text": ("''", UGLY, "repeat('long ', 400)", "'NULL'"),
    "varchar(30)": ("''", r"E'\t'", "'x  '"),
    "char(8)": ("''", "'x'", "' x'", r"E'\t'", "'😀'"),
    '"char"': ("'a'", "'b'"),
    "name": ("'plain'", "'Ünï \"x\"'"),
    "code": ("'x'", r"E'\\'", "'😀'"),
    "folded": ("'abc'", "'straße'"),
    "padded": ("'x'", "'  '"),
    "positive": ("1", "2147483647"),
    "mood": ("'sad'", "'so so'", "'happy, \"really\"'", "'😀'"),
    "uuid": ("'00000000-0000-0000-0000-000000000000'", "'A0EEBC99-9C0B-4EF8-BB6D-6BB9BD380A11'"),
    "bytea": (r"'\x'", r"'\x00ff5c27'"),
    "date": ("'infinity'", "'0044-03-15 BC'", "'0001-01-01'", "'10000-12-31'"),
    "timestamp": ("'-infinity'", "'4713-01-01 BC'", "'0001-01-01'", "'294276-12-31 23:59:59.999999'"),
    "timestamptz": ("'infinity'", "'0001-01-01 00:00 BC'", "'9999-12-31 23:59:59.999999-15'", "'10000-01-01Z'"),
    "time": ("'24:00'", "'00:00:00.000001'"),
    "timetz": ("'23:59:59.999999-15:59'", "'00:00Z'"),
    "interval": ("'-178000000 years'", "'1 mon -3 days 04:05:06.7'", "'0'"),
    "inet": ("'::1/64'", "'10.1.2.3'", "'10.1.2.3/8'"),
    "cidr": ("'10.0.0.0/8'", "'2001:db8::/32'"),
    "macaddr": ("'08:00:2b:01:02:03'", "'ff:ff:ff:ff:ff:ff'"),
    "macaddr8": ("'08:00:2b:01:02:03:04:05'", "'00:00:00:00:00:00:00:00'"),
    "bit(5)": ("B'00000'", "B'10101'"),
    "varbit": ("B''", "B'1'", "B'0001'"),
    "jsonb": ('\'{"a": [1, null, "\\\\u00e9"], "n": 123456789012345678901234567890.5}\'', "'1e300'", "'\"\"'"),
    "int4range": ("'empty'", "'[1,5)'", "'(,)'"),
    "daterange": ("'[2024-01-01,infinity]'", "'(,2024-01-01)'"),
    "int[]": ("'{}'", "'{1,NULL,3}'", "'[5:6]={1,2}'", "'{{1,2},{3,4}}'"),
    "text[]": ('\'{"",NULL,"NULL","a,b","\\""}\'', "'{x}'"),
    "mood[]": ("'{sad,\"so so\"}'", "'{}'"),
    "spot": ("'(1,\"a,b\")'", "'(,)'", "'(,\"\")'"),
    "tsvector": ("'a:1 fat:2,4C cat:3'", "''"),
    "tsquery": ("'fat & !cat'", "''"),
    "pg_lsn": ("'0/0'", "'FFFFFFFF/FFFFFFFF'"),
}
UNJOINED = {
    "xml": ("'<a b=\"c\">é</a>'",),
    "json": ('\'{"a": 1, "a": 2}\'',),
    "point": ("'(1.5,-2)'",),
    "line": ("'{1,2,3}'",),
    "box": ("'(1,1),(0,0)'",),
    "path": ("'[(0,0),(1,1)]'",),
    "polygon": ("'((0,0),(1,1),(1,0))'",),
    "circle": ("'<(0,0),3>'",),
    "txid_snapshot": ("'10:20:10,14'",),
}
"""Types without an equality that a join could use."""
NEWER = {"int4multirange": (14, ("'{[1,3),[5,9)}'", "'{}'")), "xid8": (13, ("'0'", "'18446744073709551615'"))}

EXTENSIONS = {
    "hstore": ("''", r"""'a=>NULL, "b c"=>"x\"y"'"""),
    "citext": ("'Straße'", "'x'"),
    "ltree": ("'Top.Science'", "''"),
}
"""Types of extensions that come with the server, mostly."""

KEYS = (
    *(
        "smallint",
        "bigint",
        "oid",
        "numeric(12,3)",
        "text",
        "varchar(30)",
        "char(8)",
        "name",
        "code",
        "folded",
        "padded",
    ),
    *("positive", "mood", "uuid", "bytea", "date", "timestamp", "timestamptz"),
)


def known(database: Database) -> dict[str, tuple[str, ...]]:
    """The types that a join can use, and this server has."""
    with database.connect() as conn:
        there = {name for (name,) in conn.execute("SELECT extname FROM pg_extension")}
    found = VALUES | {name: values for name, values in EXTENSIONS.items() if name in there}
    found |= {name: values for name, (since, values) in NEWER.items() if database.cluster.version >= since}
    if database.cluster.version >= 14:
        found["numeric"] = (*found["numeric"], "'Infinity'", "'-Infinity'")
    return found


def columns(types: dict[str, tuple[str, ...]]) -> dict[str, str]:
    """A column's name by its type."""
    return {kind: f"c{number}" for number, kind in enumerate(types)}


@pytest.fixture
def typed(database: Database) -> Database:
    with database.connect() as conn:
        conn.execute(TYPES)
        for name in EXTENSIONS:
            conn.execute(
                f"DO $$ BEGIN IF '{name}' IN (SELECT name FROM pg_available_extensions) THEN CREATE EXTENSION {name};"
                " END IF; END $$"
            )
    return database


async def test_documents_hold_every_type_as_postgres_writes_it_and_its_changes_arrive(
    typed: Database, sandbox: SandboxServer, tmp_path: Path
) -> None:
    types = known(typed) | UNJOINED
    named = columns(types)
    with typed.connect() as conn:
        defined = ", ".join(f"{name} {kind}" for kind, name in named.items())
        conn.execute(
            f"CREATE TABLE orders (id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY, no int, {defined},"
            " twice int GENERATED ALWAYS AS (no * 2) STORED)".encode()
        )
        for kind, name in named.items():
            for value in types[kind]:
                # A server built without libxml has the type, and no values of it.
                with suppress(psycopg.errors.FeatureNotSupported):
                    conn.execute(f"INSERT INTO orders (no, {name}) VALUES (1, {value})".encode())
        conn.execute("UPDATE orders SET no = id")
    transactions = (
        "jsonb_build_array(jsonb_build_object('payment_id', 'p', 'amount', 1, 'currency', 'USD', 'created_date',"
        " '2026-01-05', 'payment_gateway', 'g', 'all', to_json(o))) AS transactions"
    )
    rig = Rig(typed, sandbox, tmp_path, mapping(f"o.id, {transactions}", "orders o"))
    await rig.start()
    await rig.quiet()
    with typed.connect() as conn:
        numbers = [number for (number,) in conn.execute("SELECT id FROM orders ORDER BY id")]
    assert len(rig.stored()) == len(numbers) > 100
    assert (await rig.verdict()).clean
    rig.execute("UPDATE orders SET no = no + 1000")
    await rig.quiet()
    assert {stored["transactions"][0]["all"]["twice"] for stored in rig.stored().values()} == {
        2 * (number + 1000) for number in numbers
    }
    assert (await rig.verdict()).clean
    await rig.stop()


async def test_a_changed_row_leads_to_the_orders_that_use_it_by_a_column_of_any_type(typed: Database) -> None:
    types = known(typed)
    named = columns(types)
    number, numbers = 0, dict[str, set[str]]()
    with typed.connect() as conn:
        defined = ", ".join(f"{name} {kind}" for kind, name in named.items())
        conn.execute(f"CREATE TABLE orders (no int PRIMARY KEY, {defined})".encode())
        for kind, name in named.items():
            conn.execute(f"CREATE TABLE {name}_used (v {kind}, words text)".encode())
            conn.execute(f"ALTER TABLE {name}_used REPLICA IDENTITY FULL".encode())
            numbers[name] = set()
            for value in types[kind]:
                number += 1
                numbers[name].add(str(number))
                conn.execute(f"INSERT INTO {name}_used VALUES ({value}, 'old')".encode())
                conn.execute(f"INSERT INTO orders (no, {name}) VALUES ({number}, {value})".encode())
        conn.execute("CREATE PUBLICATION p FOR ALL TABLES")
        conn.execute("SELECT pg_create_logical_replication_slot(current_database(), 'pgoutput')")
    for group in batched([*named.values()], 8):
        joins = " ".join(f"LEFT JOIN {name}_used {name}u ON {name}u.v = o.{name}" for name in group)
        words = ", ".join(f"{name}u.words" for name in group)
        text = mapping(f"o.no AS id, coalesce({words}) AS sales_channel", f"orders o {joins}")
        async with assembling(typed, text) as assembler:
            for statement in ("UPDATE {}_used SET words = 'new'", "DELETE FROM {}_used"):
                every = "; ".join(statement.format(name) for name in group)
                found = await streamed(typed, assembler, every)
                assert found == set().union(*(numbers[name] for name in group)), [
                    kind for kind, name in named.items() if name in group and not numbers[name] <= found
                ]


def batched(names: list[str], size: int) -> list[list[str]]:
    return [names[start : start + size] for start in range(0, len(names), size)]


@asynccontextmanager
async def assembling(database: Database, text: str) -> AsyncIterator[Assembler]:
    projection = await load(text, path="m.sql", read_dsn=database.dsn, timezone="UTC", statement_timeout_ms=60_000)
    assembler = Assembler(projection, read_dsn=database.dsn, statement_timeout_ms=60_000)
    try:
        yield assembler
    finally:
        await assembler.aclose()


@pytest.mark.parametrize("kind", KEYS)
async def test_a_key_of_any_allowed_type_is_the_same_in_stream_scan_and_document(typed: Database, kind: str) -> None:
    values = VALUES[kind]
    with typed.connect() as conn:
        conn.execute(f"CREATE TABLE orders (id {kind} PRIMARY KEY, no int)".encode())
        conn.execute(f"CREATE TABLE item (id {kind}, line int, PRIMARY KEY (id, line))".encode())
        for number, value in enumerate(values):
            conn.execute(f"INSERT INTO orders VALUES ({value}, {number})".encode())
        conn.execute("CREATE PUBLICATION p FOR TABLE orders, item")
        conn.execute("SELECT pg_create_logical_replication_slot(current_database(), 'pgoutput')")
    text = mapping(
        "o.id, o.no::text AS sales_channel",
        "orders o",
        items="(SELECT jsonb_agg(i.line ORDER BY i.line) FROM item i WHERE i.id = o.id)",
    )
    async with assembling(typed, text) as assembler:
        scanned = [*(page := await assembler.scan(None, 1)).keys]
        while page.cursor is not None:
            scanned += (page := await assembler.scan(page.cursor, 1)).keys
        assert len(scanned) == len(set(scanned)) == len(values)
        found = (await assembler.assemble(scanned)).rows
        assert {row.document()["sales_channel"] for [row] in found.values()} == {*map(str, range(len(values)))}
        for key, rows in found.items():
            assert (await assembler.assemble([key])).rows == {key: rows}
        for statement in (
            "UPDATE orders SET no = no + 1",
            "INSERT INTO item SELECT id, 1 FROM orders",
            "DELETE FROM item",
        ):
            assert await streamed(typed, assembler, statement) == set(scanned), statement
        assert await assembler.absent(scanned) == frozenset()


async def streamed(database: Database, assembler: Assembler, statements: str) -> set[str]:
    """The order keys that a transaction's changes lead to."""
    routes = assembler.projection.routes
    source = PostgresSource(database.dsn, database.name, "p")
    async with aclosing(source.batches(routes.interest)) as batches:
        with database.connect() as conn:
            conn.execute(statements.encode())
        [transaction] = await anext(batches)
        assert transaction.end_lsn is not None
        source.acknowledge(transaction.end_lsn)
    found = [routes.affected(changes) for changes in transaction.changes]
    assert [one.sweep for one in found if one.sweep] == []
    keys = {str(key) for one in found for key in one.keys}
    for route in {lookup.route for one in found for lookup in one.lookups}:
        lookups = [lookup for one in found for lookup in one.lookups if lookup.route == route]
        keys.update((await assembler.resolve(lookups, None, 1000)).keys)
    return keys


NUMBERS = {
    "1" + "0" * 4000: True,
    "1" + "0" * 5000: False,
    "[" * 900 + "]" * 900: True,
    "[" * 3000 + "]" * 3000: False,
}


@pytest.mark.parametrize(("value", "fine"), NUMBERS.items(), ids=["large", "too large", "deep", "too deep"])
async def test_json_that_can_not_be_read_is_an_orders_own_fault(database: Database, value: str, fine: bool) -> None:
    with database.connect() as conn:
        conn.execute("CREATE TABLE orders (id int PRIMARY KEY, body jsonb)")
        conn.execute("INSERT INTO orders VALUES (7, %s)", (value,))
    async with assembling(database, mapping("o.id, o.body AS metafields", "orders o", items="o.body")) as assembler:
        (row,) = (await assembler.assemble([OrderKey("7")])).rows[OrderKey("7")]
        if fine:
            assert json.loads(value) == row.document()["metafields"]
        else:
            with pytest.raises(OrderUnreadable, match="too deeply to be read: order 7"):
                row.document()
