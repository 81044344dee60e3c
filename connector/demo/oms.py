"""The demo's OMS: its schema, its mapping and a first set of orders.

Knows the tables of oms.sql. What happens to the orders afterwards is `traffic`'s.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Mapping
from datetime import timedelta
from importlib import resources
from itertools import count
from random import Random
from typing import Any, Final

import psycopg
from psycopg import sql

from connector.demo.shop.rows import CANCEL_REASONS, CARRIERS, COLUMNS, COVERAGE, OPENED, Row, Rows, ShopRows

SEEDED_DAYS: Final = 180
"""The first orders were placed in this many days from OPENED, evenly."""

_SEQUENCES: Final[Mapping[str, str]] = {
    "oms.customer": "oms.cust_seq",
    "oms.cust_address": "oms.addr_seq",
    "oms.order_header": "oms.ord_seq",
    "oms.payment": "oms.pay_seq",
    "oms.shipment": "oms.shp_seq",
    "oms.refund": "oms.rfnd_seq",
}


def mapping() -> str:
    """The text of mapping.sql for this OMS."""
    return _resource("mapping.sql").decode()


def create(conn: psycopg.Connection[Any]) -> None:
    """Create the schema in an empty database, in one transaction."""
    with conn.transaction():
        conn.execute(_resource("oms.sql"))


def seed(conn: psycopg.Connection[Any], orders: int, seed: int) -> None:
    """Fill the empty schema with customers, products and `orders` orders, in one transaction.

    Most are shipped and delivered, the newest are still open, some are cancelled or partly refunded. The same
    arguments give the same rows.
    """
    rows = _history(orders, Random(seed))  # noqa: S311
    with conn.transaction(), conn.cursor() as cursor:
        for table, columns in COLUMNS.items():
            name = sql.Identifier(*table.split("."))
            target = sql.SQL("COPY {} ({}) FROM STDIN").format(name, sql.SQL(", ").join(map(sql.Identifier, columns)))
            with cursor.copy(target) as copy:
                for row in rows[table]:
                    copy.write_row(row)
        for table, sequence in _SEQUENCES.items():
            if rows[table]:
                cursor.execute("SELECT setval(%s, %s)", (sequence, rows[table][-1][0]))
    conn.execute("ANALYZE")


def _history(orders: int, random: Random) -> Rows:
    shop = ShopRows(random)
    rows: Rows = defaultdict(list)
    _add(rows, shop.catalogue())
    customers = max(1, orders // 3)
    for number in range(1, customers + 1):
        _add(rows, shop.customer(number, number))
    parcels, refunds = count(1), count(1)
    for number in range(1, orders + 1):
        placed = OPENED + timedelta(days=SEEDED_DAYS) * number / orders
        placed = placed.replace(microsecond=0)
        customer = random.randrange(1, customers + 1)
        order = shop.order(number, customer, customer, number, placed)
        fate = random.random()
        if fate < 0.04:
            order["oms.order_header"] = [_cancelled(order["oms.order_header"][0], random)]
        elif number <= orders * 0.9:
            _ship(order, shop, parcels)
            if fate > 0.93:
                _refund(order, next(refunds))
        _add(rows, order)
    return rows


def _add(rows: Rows, more: Rows) -> None:
    for table, each in more.items():
        rows[table].extend(each)


def _with(table: str, row: Row, **values: object) -> Row:
    changed = list(row)
    for name, value in values.items():
        changed[COLUMNS[table].index(name)] = value
    return tuple(changed)


def _cancelled(header: Row, random: Random) -> Row:
    when = header[COLUMNS["oms.order_header"].index("placed_ts")] + timedelta(hours=3)
    reason = random.choice(CANCEL_REASONS)
    return _with("oms.order_header", header, status_cd="X", cxl_ts=when, cxl_rsn_cd=reason, chg_ts=when)


def _ship(order: Rows, shop: ShopRows, parcels: Iterator[int]) -> None:
    """All goods leave the day after, now and then in two parcels; coverage is nothing to ship."""
    header = order["oms.order_header"][0]
    goods = [row for row in order["oms.order_item"] if row[2] != COVERAGE]
    split = 1 if len(goods) > 1 and shop.random.random() < 0.2 else len(goods)
    shipped = header[COLUMNS["oms.order_header"].index("placed_ts")] + timedelta(days=1)
    order["oms.shipment"], order["oms.shipment_item"] = [], []
    for part in (goods[:split], goods[split:]):
        if part:
            parcel, wave = next(parcels), shop.random.randrange(1000)
            delivered = shipped + timedelta(days=shop.random.randrange(1, 6)) if shop.random.random() < 0.9 else None
            carrier = shop.random.choice(CARRIERS)
            order["oms.shipment"].append((parcel, header[0], carrier, shop.track_no(), shipped, delivered, wave))
            order["oms.shipment_item"] += [(parcel, header[0], row[1], row[3]) for row in part]
    order["oms.order_header"] = [_with("oms.order_header", header, status_cd="S")]


def _refund(order: Rows, refund_id: int) -> None:
    """One unit of the first line comes back, with its share of tax and discount."""
    ord_id, line_no, _, quantity, price, discount, _, tax, *_ = order["oms.order_item"][0]
    when = order["oms.shipment"][0][4] + timedelta(days=9)
    amount, back = price - discount / quantity, tax / quantity
    order["oms.refund"] = [(refund_id, ord_id, when, "did not fit", 0)]
    order["oms.refund_item"] = [(refund_id, ord_id, line_no, 1, round(amount, 2), round(back, 2))]


def _resource(name: str) -> bytes:
    return resources.files("connector.demo").joinpath(name).read_bytes()
