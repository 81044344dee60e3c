-- No foreign keys, and child rows with nothing but a number of their own: under the default replica identity a deleted
-- or moved row does not say which order it belonged to.
CREATE SCHEMA legacy;
CREATE TABLE legacy.tier (code text PRIMARY KEY, label text);
CREATE TABLE legacy.customer (cust_id bigint PRIMARY KEY, name text, tier_code text, memo text);
CREATE TABLE legacy.brand (brand_id integer PRIMARY KEY, name text);
CREATE TABLE legacy.product (sku text PRIMARY KEY, title text, brand_id integer, shelf text);
CREATE TABLE legacy.orders (
    order_id bigint PRIMARY KEY, cust_id bigint, placed timestamp, status char(2), promo text, memo text
);
CREATE INDEX ON legacy.orders (cust_id);
CREATE TABLE legacy.item (
    item_id bigint PRIMARY KEY, order_id bigint, sku text, qty integer, price numeric(10, 2), bin text
);
CREATE INDEX ON legacy.item (order_id);
CREATE INDEX ON legacy.item (sku);
CREATE TABLE legacy.parcel (parcel_id bigint PRIMARY KEY, order_id bigint, carrier text, sent timestamp);
CREATE INDEX ON legacy.parcel (order_id);
CREATE TABLE legacy.parcel_item (row_id bigint PRIMARY KEY, parcel_id bigint, item_id bigint);
CREATE INDEX ON legacy.parcel_item (parcel_id);
CREATE INDEX ON legacy.parcel_item (item_id);
CREATE TABLE legacy.scan (scan_id bigint PRIMARY KEY, parcel_id bigint, seen timestamp, place text);
CREATE INDEX ON legacy.scan (parcel_id);
CREATE TABLE legacy.refund (refund_id bigint PRIMARY KEY, order_id bigint, made timestamp, memo text);
CREATE INDEX ON legacy.refund (order_id);
CREATE TABLE legacy.refund_item (row_id bigint PRIMARY KEY, refund_id bigint, item_id bigint, amount numeric(10, 2));
CREATE INDEX ON legacy.refund_item (refund_id);
CREATE TABLE legacy.tag (tag_id bigint PRIMARY KEY, order_id bigint, word text);
CREATE INDEX ON legacy.tag (order_id);
CREATE TABLE legacy.blocked (word text PRIMARY KEY);
CREATE VIEW legacy.sold AS
    SELECT i.item_id, i.order_id, i.qty, i.price, p.sku, coalesce(p.title, 'untitled') AS title, b.name AS brand
    FROM legacy.item i JOIN legacy.product p ON p.sku = i.sku LEFT JOIN legacy.brand b ON b.brand_id = p.brand_id;
CREATE VIEW legacy.sold_goods AS SELECT * FROM legacy.sold WHERE price > 0;
