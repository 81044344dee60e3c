"""Fills the benchmark's OMS: the demo's shop, with customers of many orders, in any size.

The order numbers are 1 to `orders`. The first half of them belongs to customers 1, 2, ... with `fan` orders each (the
widest change of one row that a load makes); everybody else has a few. More than BLOCK orders are copies of the first
BLOCK under other numbers, made by the server: a million takes minutes instead of an hour.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

import psycopg

from connector.demo import oms
from connector.demo.postgres.cluster import Cluster
from connector.demo.shop.rows import COLUMNS

BLOCK: Final = 10_000
FAN: Final = 50
STORE_DATABASE: Final = "checkpoints"
"""For the connector's store, on the OMS's server."""

_STEPS: Final[Mapping[str, int]] = {
    **dict.fromkeys(("ord_id", "pay_id"), BLOCK),
    **dict.fromkeys(("cust_id", "addr_id", "ship_addr_id", "bill_addr_id"), BLOCK // 3),
    **dict.fromkeys(("shipment_id", "refund_id"), 2 * BLOCK),
}
"""How far the numbers of a copy are from those of the one before; the demo seeds a customer for three orders."""
_SHARED: Final = frozenset({"oms.product", "public.wh_stock", "oms.promo", "oms.carrier"})


def furnish(cluster: Cluster, orders: int, fan: int, seed: int) -> None:
    """Blocks. `orders`: a multiple of BLOCK, or fewer than that."""
    with psycopg.connect(cluster.dsn(), autocommit=True) as conn:
        conn.execute("CREATE DATABASE shop")
        conn.execute(f"CREATE DATABASE {STORE_DATABASE}")
    with psycopg.connect(cluster.dsn("shop"), autocommit=True) as conn:
        oms.create(conn)
        oms.seed(conn, min(orders, BLOCK), seed)
        if orders > BLOCK:
            _copy(conn, orders // BLOCK - 1)
        _gather(conn, orders, fan)
        conn.execute("VACUUM ANALYZE")


def fans(orders: int, fan: int) -> int:
    """How many customers have `fan` orders: 1 to this."""
    return orders // 2 // fan


def _copy(conn: psycopg.Connection[Any], copies: int) -> None:
    conn.execute("SET session_replication_role = replica")  # the copies refer to what the originals refer to
    for table, columns in COLUMNS.items():
        if table in _SHARED:
            continue
        values = ", ".join(map(_moved, columns))
        statement = (
            f"INSERT INTO {table} ({', '.join(columns)}) "  # noqa: S608 -- names of ours
            f"SELECT {values} FROM generate_series(1, {copies}) AS copy, {table}"
        )
        conn.execute(statement.encode())
    conn.execute("SET session_replication_role = origin")


def _moved(column: str) -> str:
    """The column in a copy."""
    if column == "ord_no":
        return f"'H' || lpad((ord_id + copy * {BLOCK})::text, 8, '0')"
    return f"{column} + copy * {_STEPS[column]}" if column in _STEPS else column


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
