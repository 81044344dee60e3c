"""The demo's mapping on the demo's OMS: every table has an indexed way, and orders are read by index alone."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator
from decimal import Decimal

import pytest

from connector.demo import oms as demo_oms
from connector.model.orders import OrderKey
from connector.projection import Assembler, load
from tests.support.fixtures.postgres import Database

ORDERS = 4_500


@pytest.fixture
async def assembler(oms: Database) -> AsyncIterator[Assembler]:
    with oms.connect() as connection:
        demo_oms.seed(connection, ORDERS, 7)
        connection.execute("ANALYZE")
    projection = await load(
        demo_oms.mapping(), path="mapping.sql", read_dsn=oms.dsn, timezone="UTC", statement_timeout_ms=30_000
    )
    made = Assembler(projection, read_dsn=oms.dsn, statement_timeout_ms=30_000)
    yield made
    await made.aclose()


async def test_every_table_of_the_demo_has_an_indexed_way(assembler: Assembler) -> None:
    explained = assembler.projection.explain()
    assert (explained["order_table"], explained["order_key"]) == ("oms.order_header", ["ord_id"])
    assert len(explained["tables"]) == len(assembler.projection.tables) == 13
    assert all(use["indexed"] for table in explained["tables"] for use in table["uses"])
    assert not [problem for problem in await assembler.plan_problems() if "read whole" in problem.what]
    assert await assembler.cross_check((await assembler.scan(None, 20)).keys) == []
    assert await assembler.estimate() == ORDERS


async def test_the_demo_orders_assembled_in_batches_are_the_mapping(assembler: Assembler, oms: Database) -> None:
    with oms.connect() as connection:
        connection.execute("SET TimeZone = 'UTC'")
        query = f"SELECT whole.id, row_to_json(whole)::text FROM (\n{assembler.projection.statement}\n) whole"
        expected = {key: json.loads(text, parse_float=Decimal) for key, text in connection.execute(query).fetchall()}
    cursor: str | None = None
    found: dict[OrderKey, object] = {}
    while True:
        page = await assembler.scan(cursor, 500)
        for key, rows in (await assembler.assemble(page.keys)).rows.items():
            found[key] = rows[0].document() if len(rows) == 1 else rows
        cursor = page.cursor
        if cursor is None:
            break
    assert found == expected
