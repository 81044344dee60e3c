"""The demo's OMS on a real server: every order it ever holds is one that Redo takes, and the mapping says which."""

from __future__ import annotations

import asyncio
import json
from collections import Counter
from collections.abc import AsyncIterator
from decimal import Decimal
from pathlib import Path
from typing import Any

import psycopg
import pytest

from connector.contract.order_builder import RedoContract
from connector.demo import oms as demo_oms
from connector.demo.shop.traffic import Edit, Kind, Traffic
from connector.model.errors import InvalidOrder
from tests.support.fixtures.postgres import Database

ORDERS = 120
INVISIBLE = frozenset({Kind.NOTE, Kind.BINS, Kind.TOUCHED, Kind.STOCK, Kind.ROLLED_BACK})
"""Edits after which every order is for Redo what it was before."""


@pytest.fixture
def shop(oms: Database) -> Database:
    with oms.connect() as conn:
        demo_oms.seed(conn, ORDERS, seed=7)
    return oms


@pytest.fixture
async def connection(shop: Database) -> AsyncIterator[psycopg.AsyncConnection[Any]]:
    async with await psycopg.AsyncConnection.connect(shop.dsn, autocommit=True) as conn:
        yield conn


def documents(database: Database) -> dict[str, dict[str, Any]]:
    """The mapping's present answer for every order, by order id."""
    with database.connect() as conn:
        rows = conn.execute(f"SELECT to_jsonb(answer)::text FROM ({demo_oms.mapping()}) AS answer").fetchall()
    found = [json.loads(text, parse_float=Decimal) for (text,) in rows]
    assert len({document["id"] for document in found}) == len(found)
    return {document["id"]: document for document in found}


def refused(database: Database) -> set[str]:
    """Ids of the orders that break Redo's contract."""
    contract, bad = RedoContract(), set()
    for order_id, document in documents(database).items():
        try:
            contract.order(document, seen_at=0)
        except InvalidOrder:
            bad.add(order_id)
    return bad


def count(database: Database, query: str) -> int:
    with database.connect() as conn:
        row = conn.execute(query).fetchone()
    assert row is not None
    return int(row[0])


def test_the_mapping_in_the_package_is_the_one_at_the_top() -> None:
    top = Path(__file__).parents[2] / "mapping.sql"
    assert demo_oms.mapping() == top.read_text()


def test_the_mapping_yields_one_row_an_order_and_redo_takes_each(shop: Database) -> None:
    assert len(documents(shop)) == ORDERS == count(shop, "SELECT count(*) FROM oms.order_header")
    assert refused(shop) == set()


def test_the_first_orders_show_all_that_an_order_can_have(shop: Database) -> None:
    found = documents(shop).values()
    lists = ("refunds", "fulfillments", "order_discounts", "transactions", "tags", "billing_address", "cancelled_at")
    assert [name for name in lists if not any(document[name] for document in found)] == []
    lines = [line for document in found for line in document["line_items"]]
    assert {line["sku"] for line in lines if line["vendor"] == "re:do"} == {"x-redo"}
    assert {line["tags"][0] for line in lines if line["tags"]} == {"returns", "package protection", "both"}


def test_seeding_twice_gives_the_same_orders_and_another_seed_others(shop: Database, database: Database) -> None:
    with database.connect() as conn:
        demo_oms.create(conn)
        demo_oms.seed(conn, ORDERS, seed=7)
        same = documents(database)
        conn.execute("DROP SCHEMA oms CASCADE; DROP TABLE public.wh_stock")
        demo_oms.create(conn)
        demo_oms.seed(conn, ORDERS, seed=8)
    assert same == documents(shop)
    assert documents(database) != same


async def test_the_same_traffic_gives_the_same_orders(database: Database, shop: Database) -> None:
    with database.connect() as conn:
        demo_oms.create(conn)
        demo_oms.seed(conn, ORDERS, seed=7)
    edits: list[list[Edit]] = []
    for each in (database, shop):
        async with await psycopg.AsyncConnection.connect(each.dsn, autocommit=True) as conn:
            traffic = Traffic(conn, seed=3)
            edits.append([await traffic.step() for _ in range(150)])
    assert edits[0] == edits[1]
    assert documents(database) == documents(shop)


async def test_after_any_traffic_redo_takes_every_order(
    shop: Database, connection: psycopg.AsyncConnection[Any]
) -> None:
    traffic = Traffic(connection, seed=11)
    kinds = Counter([(await traffic.step()).kind for _ in range(700)])
    await traffic.mend()
    assert refused(shop) == set()
    assert len(documents(shop)) == ORDERS + kinds[Kind.NEW_ORDER]
    assert set(Kind) - set(kinds) <= {Kind.RENAMED, Kind.SPOILED, Kind.MENDED}


@pytest.mark.parametrize("kind", sorted(set(Kind) - INVISIBLE - {Kind.MENDED}))
async def test_an_edit_shows_in_an_order(shop: Database, connection: psycopg.AsyncConnection[Any], kind: Kind) -> None:
    traffic, before = Traffic(connection, seed=5), documents(shop)
    for _ in range(50):  # chance may pick an order in no state for it, or a customer or a product without orders
        edit = await traffic.do(kind)
        if edit is not None and documents(shop) != before:
            assert edit.rows > 0
            return
    pytest.fail("no order changed")


@pytest.mark.parametrize("kind", sorted(INVISIBLE))
async def test_an_invisible_edit_shows_in_no_order(
    shop: Database, connection: psycopg.AsyncConnection[Any], kind: Kind
) -> None:
    traffic, before = Traffic(connection, seed=5), documents(shop)
    edits = [edit for _ in range(20) if (edit := await traffic.do(kind)) is not None]
    assert edits
    assert documents(shop) == before
    assert all((edit.rows == 0) == (kind is Kind.ROLLED_BACK) for edit in edits)


async def test_a_renamed_product_and_a_customer_change_many_orders(
    shop: Database, connection: psycopg.AsyncConnection[Any]
) -> None:
    before = documents(shop)
    await connection.execute("UPDATE oms.product SET prod_nm = 'Redo' WHERE sku = 'x-redo'")
    after = documents(shop)
    changed = {order_id for order_id, document in after.items() if document != before[order_id]}
    assert len(changed) == count(shop, "SELECT count(*) FROM oms.order_item WHERE product_id = 1") > 10


async def test_a_spoiled_email_is_refused_until_it_is_mended(
    shop: Database, connection: psycopg.AsyncConnection[Any]
) -> None:
    traffic = Traffic(connection, seed=1)
    bad: set[str] = set()
    while not bad:  # a customer may have no orders
        await traffic.do(Kind.SPOILED)
        bad = refused(shop)
    mended = await traffic.mend()
    assert mended is not None
    assert mended.rows > 0
    assert refused(shop) == set()
    assert await traffic.mend() is None


async def test_an_empty_shop_starts_with_new_orders(oms: Database) -> None:
    with oms.connect() as conn:
        demo_oms.seed(conn, 0, seed=1)
    async with await psycopg.AsyncConnection.connect(oms.dsn, autocommit=True) as conn:
        traffic = Traffic(conn, seed=2)
        edits = [await traffic.step() for _ in range(30)]
    placed = sum(edit.kind is Kind.NEW_ORDER for edit in edits)
    assert len(documents(oms)) == placed > 0
    assert refused(oms) == set()


async def test_play_stops_when_told_and_mends_at_the_end(
    shop: Database, connection: psycopg.AsyncConnection[Any]
) -> None:
    traffic, until = Traffic(connection, seed=4), asyncio.Event()
    await traffic.do(Kind.SPOILED)
    kinds = []
    async for edit in traffic.play(rate=500, until=until):
        kinds.append(edit.kind)
        if len(kinds) == 20:
            until.set()
    assert (len(kinds), kinds[-1], kinds.count(Kind.MENDED)) == (21, Kind.MENDED, 1)
    assert refused(shop) == set()


async def test_two_traffics_side_by_side_leave_every_order_fit(
    shop: Database, connection: psycopg.AsyncConnection[Any]
) -> None:
    async def play(conn: psycopg.AsyncConnection[Any], seed: int) -> None:
        traffic = Traffic(conn, seed)
        for _ in range(80):
            await traffic.step()
        await traffic.mend()

    async with await psycopg.AsyncConnection.connect(shop.dsn, autocommit=True) as other:
        await asyncio.gather(play(connection, 21), play(other, 22))
    assert refused(shop) == set()
