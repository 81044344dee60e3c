"""A small OMS that is made to be altered: almost everything in it could be mistaken for something else.

Each child row names two orders, of which the mapping reads one, so that a row read by a wrong column leads to another
order that exists. What the children say ends up in an order's tags.
"""

from __future__ import annotations

from typing import Final

from connector.model.changes import TableName
from tests.support.oms.writers import ORDERS

TABLES: Final = [TableName("bazaar", name) for name in ("event", "item", "orders", "payment", "refund")]

SCHEMA: Final = f"""
CREATE SCHEMA bazaar;
CREATE TYPE bazaar.kind AS ENUM ('made', 'packed');
CREATE TABLE bazaar.orders (id int PRIMARY KEY, status text NOT NULL DEFAULT 'new', note text);
CREATE TABLE bazaar.item (
    id int PRIMARY KEY, memo text, order_id int NOT NULL, alt_id int NOT NULL, sku varchar(20) NOT NULL,
    qty int NOT NULL, label text DEFAULT 'plain', price numeric(10, 2) DEFAULT 1.5
);
CREATE INDEX ON bazaar.item (order_id);
CREATE TABLE bazaar.payment (order_id int, no int, amount numeric NOT NULL, PRIMARY KEY (order_id, no));
CREATE TABLE bazaar.refund (
    id int PRIMARY KEY, item_id int NOT NULL, alt_item int NOT NULL, amount numeric(10, 2) NOT NULL
);
CREATE INDEX ON bazaar.refund (item_id);
CREATE TABLE bazaar.event (
    id int PRIMARY KEY, order_id int NOT NULL, alt_id int NOT NULL, kind bazaar.kind NOT NULL
) PARTITION BY RANGE (id);
CREATE TABLE bazaar.event_1 PARTITION OF bazaar.event FOR VALUES FROM (0) TO (100);
CREATE TABLE bazaar.event_2 PARTITION OF bazaar.event FOR VALUES FROM (100) TO (200);
CREATE INDEX ON bazaar.event (order_id);
CREATE FUNCTION bazaar.caption(text) RETURNS text LANGUAGE sql IMMUTABLE AS 'SELECT lower($1)';
CREATE VIEW bazaar.paid AS SELECT order_id, no, amount FROM bazaar.payment;

INSERT INTO bazaar.orders (id) SELECT n FROM generate_series(1, {ORDERS}) AS n;
INSERT INTO bazaar.item (id, order_id, alt_id, sku, qty)
    SELECT n, 1 + n % {ORDERS}, 1 + (n + 5) % {ORDERS}, 'sku' || n % 7, 1 + n % 3 FROM generate_series(1, 30) AS n;
INSERT INTO bazaar.payment SELECT 1 + n % {ORDERS}, 1 + n / {ORDERS}, n FROM generate_series(1, 20) AS n;
INSERT INTO bazaar.refund SELECT n, n, n + 3, n FROM generate_series(1, 20) AS n;
INSERT INTO bazaar.event
    SELECT n, 1 + n % {ORDERS}, 1 + (n + 7) % {ORDERS}, 'made' FROM generate_series(1, 190, 9) AS n;
ANALYZE;
"""

MAPPING: Final = """
SELECT
    o.id::text AS id,
    '2026-01-05 10:00Z'::timestamptz AS created_at,
    'USD' AS presentment_currency,
    'USD' AS shop_currency,
    o.status AS sales_channel,
    jsonb_build_object('email', 'a@bazaar.example', 'first_name', 'Ada', 'last_name', 'Byron') AS customer,
    jsonb_build_object(
        'address1', '1 Main St', 'city', 'Provo', 'province_code', 'UT', 'zip', '84601', 'country_code', 'US'
    ) AS shipping_address,
    jsonb_build_array(jsonb_build_object(
        'id', o.id || '-1', 'product_id', 'mug', 'sku', 'mug', 'title', 'Mug', 'quantity', 1, 'price_set', 12.5
    )) AS line_items,
    NULL::jsonb AS order_discounts,
    NULL::jsonb AS shipping_lines,
    NULL::jsonb AS fulfillments,
    coalesce((
        SELECT jsonb_agg(concat_ws(' ', 'item', i.id, bazaar.caption(i.sku), i.qty, i.label) ORDER BY i.id)
        FROM bazaar.item AS i WHERE i.order_id = o.id
    ), '[]') || coalesce((
        SELECT jsonb_agg(concat_ws(' ', 'refund', r.id, r.amount) ORDER BY r.id)
        FROM bazaar.refund AS r JOIN bazaar.item AS ri ON ri.id = r.item_id WHERE ri.order_id = o.id
    ), '[]') || coalesce((
        SELECT jsonb_agg(concat_ws(' ', 'event', e.id, e.kind) ORDER BY e.id)
        FROM bazaar.event AS e WHERE e.order_id = o.id
    ), '[]') || coalesce((
        SELECT jsonb_agg(concat_ws(' ', 'payment', p.no, p.amount) ORDER BY p.no)
        FROM bazaar.paid AS p WHERE p.order_id = o.id
    ), '[]') AS tags
FROM bazaar.orders AS o
"""
