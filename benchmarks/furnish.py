"""Fills the benchmark's OMS: the demo's shop, with customers of many orders, in any size.

The order numbers are 1 to `orders`. The first half of them belongs to customers 1, 2, ... with `fan` orders each (the
widest change of one row that a load makes); everybody else has a few. More than BLOCK orders are copies of the first
BLOCK under other numbers, made by the server: a million takes minutes instead of an hour.
"""

from __future__ import annotations

from typing import Any, Final

import psycopg

from connector.demo import oms
from connector.demo.postgres.cluster import Cluster
from connector.demo.shop.rows import COLUMNS

BLOCK: Final = 10_000
FAN: Final = 50
STORE_DATABASE: Final = "checkpoints"
"""For the connector's store, on the OMS's server."""

_SHARED: Final = frozenset({"oms.product", "public.wh_stock", "oms.promo", "oms.carrier"})


def furnish(cluster: Cluster, orders: int, fan: int, seed: int) -> None:
    """Make the databases and fill the OMS. Blocks."""
    with psycopg.connect(cluster.dsn(), autocommit=True) as conn:
        conn.execute("CREATE DATABASE shop")
        conn.execute(f"CREATE DATABASE {STORE_DATABASE}")
    with psycopg.connect(cluster.dsn("shop"), autocommit=True) as conn:
        oms.create(conn)
        fill(conn, orders, fan, seed)
        conn.execute("VACUUM ANALYZE")


def fill(conn: psycopg.Connection[Any], orders: int, fan: int, seed: int, block: int = BLOCK) -> None:
    """Fill the empty schema. `orders`: fewer than a block or a multiple of it. Raises ValueError for any other
    number."""
    if orders > block and orders % block:
        raise ValueError(f"{orders} orders are no multiple of {block}")
    oms.seed(conn, min(orders, block), seed)
    if orders > block:
        _copy(conn, orders // block - 1, block)
    _gather(conn, orders, fan)


def fans(orders: int, fan: int) -> int:
    """How many customers have `fan` orders: 1 to this."""
    return orders // 2 // fan


def _copy(conn: psycopg.Connection[Any], copies: int, block: int) -> None:
    """Rows refer to others of the same copy."""
    # How far the numbers of a copy are from those of the one before; the demo seeds a customer for three orders.
    steps = {
        **dict.fromkeys(("ord_id", "pay_id"), block),
        **dict.fromkeys(("cust_id", "addr_id", "ship_addr_id", "bill_addr_id"), block // 3),
        **dict.fromkeys(("shipment_id", "refund_id"), 2 * block),
    }
    moved = {column: f"{column} + copy * {step}" for column, step in steps.items()}
    moved["ord_no"] = f"'H' || lpad((ord_id + copy * {block})::text, 8, '0')"
    conn.execute("SET session_replication_role = replica")  # foreign keys aren't looked up a hundred million times
    for table, columns in COLUMNS.items():
        if table in _SHARED:
            continue
        values = ", ".join(moved.get(column, column) for column in columns)
        statement = (
            f"INSERT INTO {table} ({', '.join(columns)}) "  # noqa: S608 -- names of ours
            f"SELECT {values} FROM generate_series(1, {copies}) AS copy, {table}"
        )
        conn.execute(statement.encode())
    conn.execute("SET session_replication_role = origin")


def _gather(conn: psycopg.Connection[Any], orders: int, fan: int) -> None:
    """Give the first orders to customers of many. Who had them keeps the addresses."""
    wide = fans(orders, fan)
    statement = f"""
        UPDATE oms.order_header SET cust_id = CASE
            WHEN ord_id <= {wide * fan} THEN (ord_id - 1) / {fan} + 1
            ELSE {wide} + 1 + ord_id % (SELECT max(cust_id) - {wide} FROM oms.customer)
        END
        WHERE ord_id <= {wide * fan} OR cust_id <= {wide}"""  # noqa: S608 -- numbers
    conn.execute(statement.encode())
