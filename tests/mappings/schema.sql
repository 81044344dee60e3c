-- The tables that the mappings beside this file read. No foreign keys: the tests change single rows at random.
CREATE SCHEMA shop;
CREATE SCHEMA "Legacy";
CREATE TABLE shop.customer (id bigint PRIMARY KEY, name text, region text);
CREATE TABLE shop.orders (
    id bigint PRIMARY KEY, customer_id bigint, status text, total numeric(12, 2), placed timestamp, data jsonb
);
CREATE INDEX ON shop.orders (customer_id);
CREATE TABLE shop.item (order_id bigint, line int, product_id int, qty int, price numeric, PRIMARY KEY (order_id, line));
CREATE INDEX ON shop.item (product_id);
CREATE TABLE shop.product (id int PRIMARY KEY, name text, vendor_id int);
CREATE TABLE shop.vendor (id int PRIMARY KEY, name text);
CREATE TABLE shop.shipment (id bigint PRIMARY KEY, order_id bigint, carrier text, shipped timestamptz);
CREATE INDEX ON shop.shipment (order_id);
CREATE TABLE shop.shipment_line (shipment_id bigint, line int, qty int, PRIMARY KEY (shipment_id, line));
CREATE TABLE shop.carrier (code varchar(10) PRIMARY KEY, name text);
CREATE TABLE shop.note (order_id bigint, body text);
CREATE TABLE shop.setting (name text PRIMARY KEY, value text);
CREATE TABLE shop.tenant_order (tenant int, no int, memo text, PRIMARY KEY (tenant, no));
CREATE TABLE shop.tenant_item (tenant int, no int, line int, sku text, PRIMARY KEY (tenant, no, line));
CREATE TABLE shop.tenant_product (tenant int, sku text, title text, PRIMARY KEY (tenant, sku));
CREATE TABLE shop.uorder (id uuid PRIMARY KEY, memo text);
CREATE TABLE shop.uitem (id bigint PRIMARY KEY, uorder_id uuid, sku text);
CREATE TABLE shop.corder (code char(6) PRIMARY KEY, memo text);
CREATE TABLE shop.citem (id bigint PRIMARY KEY, code char(6), vcode varchar(6));
CREATE TABLE shop.norder (no numeric PRIMARY KEY, memo text);
CREATE TABLE shop.dorder (id int PRIMARY KEY, memo text);
CREATE TABLE shop.ditem (id int PRIMARY KEY, order_no numeric(8, 2), qty int);
CREATE TABLE "Legacy"."OrderHead" ("OrdId" bigint PRIMARY KEY, "Customer Name" text);
CREATE TABLE "Legacy"."OrderLine" ("OrdId" bigint, "LineNo" int, sku text, PRIMARY KEY ("OrdId", "LineNo"));
CREATE TABLE shop.event (order_id bigint, at int, kind text, PRIMARY KEY (order_id, at)) PARTITION BY RANGE (at);
CREATE TABLE shop.event_low PARTITION OF shop.event FOR VALUES FROM (MINVALUE) TO (3);
CREATE TABLE shop.event_high PARTITION OF shop.event FOR VALUES FROM (3) TO (MAXVALUE);
CREATE UNLOGGED TABLE shop.scratch (order_id bigint, x int);
CREATE TABLE shop.parent (order_id bigint, x int);
CREATE TABLE shop.child () INHERITS (shop.parent);
CREATE TABLE shop.generated (same bigint GENERATED ALWAYS AS (order_id) STORED, order_id bigint, x int);
CREATE VIEW shop.order_view AS SELECT id, status FROM shop.orders;
CREATE MATERIALIZED VIEW shop.order_copy AS SELECT id, status FROM shop.orders;
CREATE FUNCTION shop.order_total(bigint) RETURNS numeric LANGUAGE sql STABLE
    AS 'SELECT sum(qty * price) FROM shop.item WHERE order_id = $1';
CREATE FUNCTION shop.double(numeric) RETURNS numeric LANGUAGE sql IMMUTABLE AS 'SELECT $1 * 2';
