"""A shop whose tables are as odd as a test wants them, and a mapping that shows what of it reaches Redo."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import psycopg
from psycopg import sql

from tests.support.fixtures.postgres import Database, drop_database
from tests.support.postgres.cluster import Cluster

_ORDER = """
    '2026-01-05 10:00Z'::timestamptz AS created_at,
    'USD' AS presentment_currency,
    'USD' AS shop_currency,
    jsonb_build_object(
        'address1', '1 Main St', 'city', 'Provo', 'province_code', 'UT', 'zip', '84601', 'country_code', 'US'
    ) AS shipping_address,
    NULL::jsonb AS order_discounts,
    NULL::jsonb AS shipping_lines,
    NULL::jsonb AS fulfillments
"""


def mapping(columns: str, tables: str, *, customer: str = "", items: str = "") -> str:
    """A mapping whose orders are complete: `columns` and what isn't given stands as it is above. `customer` and
    `items` are expressions of type jsonb."""
    plain = "jsonb_build_object('email', 'a@shop.example', 'first_name', 'Ada', 'last_name', 'Byron')"
    line = (
        "jsonb_build_array(jsonb_build_object('id', o.no || '-1', 'product_id', 'p', 'sku', 's', 'title', 't',"
        " 'quantity', 1, 'price_set', 1))"
    )
    return f"SELECT {columns}, {customer or plain} AS customer, {items or line} AS line_items, {_ORDER} FROM {tables}"


@contextmanager
def encoded_database(cluster: Cluster, name: str, encoding: str) -> Iterator[Database]:
    """An empty database in that encoding."""
    with psycopg.connect(cluster.dsn(), autocommit=True) as conn:
        query = sql.SQL("CREATE DATABASE {} TEMPLATE template0 ENCODING {} LC_COLLATE 'C' LC_CTYPE 'C'")
        conn.execute(query.format(sql.Identifier(name), sql.Literal(encoding)))
    try:
        yield Database(cluster, name)
    finally:
        drop_database(cluster, name)
