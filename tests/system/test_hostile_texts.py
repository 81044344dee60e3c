"""Odd text in the OMS, and odd answers in Redo's place: the odd order's own trouble, in both engines of the store.

The whole connector, real Postgres, real HTTP.
"""

from __future__ import annotations

import json
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from connector.model.orders import encoded
from connector.pipeline.ports.records import Known
from connector.sandbox.server import SandboxServer
from tests.support.fixtures.connector import Rig
from tests.support.fixtures.postgres import Database, create_database, drop_database
from tests.support.oms.minimal_mapping import mapping
from tests.support.postgres.cluster import Cluster
from tests.support.redo_servers import accepting, said, serving

PLAIN = [f"plain-{at}" for at in range(8)]
KEYS = [
    "",
    ".",
    "..",
    "a\nb",
    "\r\n",
    "/?#%&=",
    "<former key 1> 7",
    "<former key> 7",
    "<former key",
    "[" * 900,
    '{"a":' * 300,
    "\u202e\u200b\ufeff\x1b[2J\x7f",
    "\U0010ffff",
    "x" * 2_600,
    "y" * 20_000,
    "null",
    "\\",
    "' OR true --",
]
"""Postgres takes each of them for a primary key: it compresses the long ones."""
EXTRA = [
    r'"\ud800"',
    r'"\u0000"',
    r'{"\u0000": "\udfff"}',
    "[" * 3000 + "]" * 3000,
    '{"a":' * 3000 + "1" + "}" * 3000,
    "9" * 5000,
    "1e999999",
    json.dumps("x" * 1_000_000),
]
"""JSON of the type json, which keeps it as it was written."""
TABLE = "CREATE TABLE orders (no text PRIMARY KEY, extra json, note text NOT NULL DEFAULT 'n', email text)"
LINE = """json_build_array(json_build_object('id', o.no || '-1', 'product_id', 'p', 'sku', 's', 'title', o.note,
    'quantity', 1, 'price_set', 1, 'properties', o.extra))"""
MAPPING = mapping("o.no AS id, b.name AS sales_channel", "orders o LEFT JOIN buyer b ON b.email = o.email", items=LINE)
BUYERS = "CREATE TABLE buyer (email text NOT NULL, name text); ALTER TABLE buyer REPLICA IDENTITY FULL"
ODD = [*KEYS, *(f"extra-{at}" for at in range(len(EXTRA)))]


def fill(database: Database, suffix: str) -> None:
    rows = [
        *((key + suffix, "[]") for key in (*KEYS, *PLAIN)),
        *((f"extra-{at}{suffix}", odd) for at, odd in enumerate(EXTRA)),
    ]
    with database.connect() as conn:
        conn.cursor().executemany("INSERT INTO orders (no, extra) VALUES (%s, %s)", rows)


@pytest.fixture(params=["sqlite", "postgres"])
async def rig(
    request: pytest.FixtureRequest, database: Database, sandbox: SandboxServer, tmp_path: Path
) -> AsyncIterator[Rig]:
    with database.connect() as conn:
        conn.execute(TABLE)
        for statement in BUYERS.split("; "):
            conn.execute(statement.encode())
    made = Rig(database, sandbox, tmp_path, MAPPING)
    cluster: Cluster = request.getfixturevalue("cluster")
    store = create_database(cluster) if request.param == "postgres" else None
    if store is not None:
        made.overrides["checkpoints"] = {"url": store.dsn}
    yield made
    await made.stop()
    if store is not None:
        drop_database(cluster, store.name)


async def known(rig: Rig, keys: list[str]) -> Known:
    return await rig.running.pipeline.ports.store.known([encoded([key]) for key in keys])


async def test_odd_text_in_the_database_is_the_odd_orders_own_trouble(rig: Rig) -> None:
    fill(rig.database, "")
    await rig.start()
    await rig.quiet()
    fill(rig.database, "~")
    with rig.database.connect() as conn:
        for email in ("x" * 400, "\u202e" * 200_000, "z"):
            conn.execute("INSERT INTO buyer VALUES (%s, 'a')", (email,))
        conn.execute("UPDATE buyer SET name = 'b'")
        conn.execute("UPDATE orders SET note = 'later' WHERE no LIKE 'plain%'")
    await rig.quiet()
    stored = rig.stored()
    for suffix in ("", "~"):
        for key in (*PLAIN, *ODD):
            letters = (await known(rig, [key + suffix])).dead_letters
            assert (key + suffix in stored) != bool(letters), key[:40]
    assert {stored[key]["lineItems"][0]["title"] for key in PLAIN} == {"later"}
    await rig.stop()
    await rig.start()
    await rig.quiet()


REDO_IDS = ("\ud800", "\0", "x" * 300, "\u202e", "a\nb")
REFUSALS = [
    json.dumps({"error": "\ud800\0" * 20_000, "errors": {"\ud800": "\0", "id": ["\udfff"]}}).encode(),
    json.dumps({"errors": ["x\0"] * 10_000}).encode(),
    b'{"errors": ' + b"[" * 30_000,
    b"\xff\xfe\0",
]


async def test_odd_answers_in_redos_place_stop_nobody_and_no_start(rig: Rig) -> None:
    names = [f"odd-{at}" for at in range(len(REDO_IDS) + len(REFUSALS))]

    def answer(order_id: str, _: bytes) -> bytes:
        at = int(order_id[4:]) if order_id.startswith("odd-") else -1
        if at < 0:
            return accepting(order_id)
        if at < len(REDO_IDS):
            return said(200, json.dumps({"message": "m", "orderId": order_id, "redoId": REDO_IDS[at]}).encode())
        return said(422, REFUSALS[at - len(REDO_IDS)], "Retry-After: \x01")

    with rig.database.connect() as conn:
        conn.cursor().executemany("INSERT INTO orders (no) VALUES (%s)", [(name,) for name in (*PLAIN, *names)])
    async with serving(answer) as redo:
        rig.overrides["redo"] = {"base_url": redo.url}
        for _ in range(2):
            await rig.start()
            await rig.quiet()
            found = await known(rig, [*PLAIN, *names])
            taken = {*PLAIN, *names[: len(REDO_IDS)]}
            assert set(found.checkpoints) == taken
            assert set(found.dead_letters) == {*names} - taken
            assert {found.checkpoints[encoded([name])].redo_id for name in names[: len(REDO_IDS)]} == {None}
            await rig.stop()
