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
CREATE TABLE shop.item_archive (order_id bigint, line int, product_id int, qty int, price numeric, PRIMARY KEY (order_id, line));
CREATE TABLE shop.component (parent int, part int, tenant int, PRIMARY KEY (parent, part));
CREATE TABLE shop.fx_order (id bigint PRIMARY KEY, currency text, placed timestamp, total numeric);
CREATE TABLE shop.rate (currency text, valid_from timestamp, rate numeric, PRIMARY KEY (currency, valid_from));
CREATE TABLE shop.event_ref (id bigint PRIMARY KEY, order_ref text, kind text);
CREATE TABLE shop.gorder (id bigint PRIMARY KEY, customer_id bigint NOT NULL, region int NOT NULL, placed timestamp, memo text);
CREATE INDEX ON shop.gorder (customer_id);
CREATE TABLE shop.gline (id bigint PRIMARY KEY, gorder_id bigint, qty int);
CREATE TABLE shop.torder (id bigint PRIMARY KEY, parent_id bigint, memo text);
CREATE TABLE shop.base_line (id bigint PRIMARY KEY, order_id bigint, qty int);
CREATE TABLE shop.gift_line (card text, PRIMARY KEY (id)) INHERITS (shop.base_line);
CREATE TABLE shop.late_gift_line (PRIMARY KEY (id)) INHERITS (shop.gift_line);
CREATE TABLE shop.uref (id bigint PRIMARY KEY, uorder_text text, note text);
CREATE TYPE shop.grade AS ENUM ('low', 'high');
CREATE TABLE shop.web_order (
    id bigint PRIMARY KEY, email text, ref text, vref varchar(40), number_text text, meta jsonb, external_id int, grade shop.grade
);
CREATE TABLE shop.member (
    id bigint PRIMARY KEY, email text, ref text, cref char(6), number_text text, meta jsonb, external_id int, grade shop.grade, name text
);
CREATE TABLE shop.member_note (id bigint PRIMARY KEY, member_id bigint, email varchar(40), body text);
CREATE TABLE shop.gid_note (id bigint PRIMARY KEY, gid text, body text);
CREATE TABLE shop.turkish (id bigint PRIMARY KEY, email text COLLATE "C", name text);
CREATE TYPE shop.line_kind AS ENUM ('goods', 'gift', 'fee');
CREATE TABLE shop.line (
    id bigint PRIMARY KEY, order_id bigint, product_id int, kind shop.line_kind, active boolean, code char(3), qty int, ref uuid,
    deleted_at timestamp
);
CREATE INDEX ON shop.line (order_id) WHERE deleted_at IS NULL;
CREATE INDEX ON shop.line (product_id) WHERE deleted_at IS NULL;
CREATE TABLE shop.adjustment (id bigint PRIMARY KEY, source_id int, source_type varchar, order_id bigint, amount numeric);
CREATE TABLE shop.promotion (id int PRIMARY KEY, name text, kind text, deleted_at timestamp);
CREATE TABLE shop.typed_line (order_id bigint, line int, kind text, qty int, note text, PRIMARY KEY (order_id, line, kind));
CREATE TABLE shop.whole_line (id bigint PRIMARY KEY, order_id bigint, kind text, deleted_at timestamp);
ALTER TABLE shop.whole_line REPLICA IDENTITY FULL;
CREATE VIEW shop.live_lines AS
    SELECT id, order_id, product_id, kind, code FROM shop.line WHERE deleted_at IS NULL AND kind IN ('goods', 'gift') AND active;
CREATE SEQUENCE shop.numbers;
CREATE FOREIGN DATA WRAPPER nothing;
CREATE SERVER nowhere FOREIGN DATA WRAPPER nothing;
CREATE FOREIGN TABLE shop.remote (order_id bigint, x int) SERVER nowhere;
CREATE VIEW shop.order_view AS SELECT id, status FROM shop.orders;
CREATE MATERIALIZED VIEW shop.order_copy AS SELECT id, status FROM shop.orders;
CREATE FUNCTION shop.order_total(bigint) RETURNS numeric LANGUAGE sql STABLE
    AS 'SELECT sum(qty * price) FROM shop.item WHERE order_id = $1';
CREATE FUNCTION shop.double(numeric) RETURNS numeric LANGUAGE sql IMMUTABLE AS 'SELECT $1 * 2';
CREATE VIEW shop.order_summary (ref, state, customer) AS
    SELECT o.id, o.status, c.name FROM shop.orders o JOIN shop.customer c ON c.id = o.customer_id;
CREATE VIEW shop.item_totals AS SELECT order_id, sum(qty) AS pieces, count(*) FROM shop.item GROUP BY order_id;
CREATE VIEW shop.item_names AS
    SELECT t.order_id, t.pieces, s.names FROM shop.item_totals t JOIN (
        SELECT i.order_id, string_agg(p.name, ',' ORDER BY i.line, p.name) AS names
        FROM shop.item i JOIN shop.product p ON p.id = i.product_id GROUP BY i.order_id
    ) s USING (order_id);
CREATE VIEW shop.carrier_of AS
    SELECT s.order_id, c.name, s.id AS shipment FROM shop.shipment s JOIN shop.carrier c ON c.code = s.carrier;
CREATE VIEW shop.all_lines AS
    SELECT order_id, line, product_id, qty FROM shop.item UNION ALL SELECT order_id, line, product_id, qty FROM shop.item_archive;
CREATE VIEW shop.line_names AS
    WITH named AS (SELECT l.order_id, l.line, p.name FROM shop.all_lines l JOIN shop.product p ON p.id = l.product_id)
    SELECT order_id, line, name FROM named WHERE name IS NOT NULL;
CREATE VIEW shop.order_refs AS SELECT 'R' || o.id AS ref, o.status FROM shop.orders o;
CREATE VIEW shop.stamped AS SELECT id, status, now() AS seen FROM shop.orders;
CREATE VIEW shop.recent AS SELECT id, status FROM shop.orders WHERE placed > now() - interval '90 days';
CREATE VIEW shop.first_lines AS
    SELECT DISTINCT ON (i.order_id) i.order_id, i.line, i.qty FROM shop.item i ORDER BY i.order_id, i.line;
CREATE VIEW shop.customer_rank AS
    SELECT g.id, g.memo, rank() OVER (PARTITION BY g.customer_id ORDER BY g.placed, g.id) AS nth FROM shop.gorder g;
CREATE VIEW shop.order_dates AS SELECT d.id, i.qty FROM shop.dorder d JOIN shop.ditem i ON i.order_no = d.id;
CREATE VIEW shop.settings AS SELECT name, value FROM shop.setting;
CREATE VIEW shop.totals_by_function AS SELECT o.id, shop.order_total(o.id) AS total FROM shop.orders o;
CREATE VIEW "Legacy"."Head View" AS SELECT h."OrdId" AS "Key", h."Customer Name" FROM "Legacy"."OrderHead" h;
CREATE FUNCTION shop.shout(text) RETURNS text LANGUAGE sql STABLE AS 'SELECT upper($1)';
CREATE FUNCTION shop.total_of(bigint) RETURNS numeric LANGUAGE sql STABLE AS 'SELECT shop.order_total($1)';
CREATE FUNCTION shop.lying_total(bigint) RETURNS numeric LANGUAGE sql IMMUTABLE
    AS 'SELECT sum(qty) FROM shop.item WHERE order_id = $1';
CREATE FUNCTION shop.spelled(bigint) RETURNS text LANGUAGE plpgsql STABLE AS 'BEGIN RETURN $1::text; END';
CREATE FUNCTION shop.dice() RETURNS int LANGUAGE plpgsql IMMUTABLE AS 'BEGIN RETURN 4; END';
CREATE FUNCTION shop.token() RETURNS text LANGUAGE sql VOLATILE AS 'SELECT random()::text';
CREATE FUNCTION shop.folded(text) RETURNS text LANGUAGE sql IMMUTABLE AS 'SELECT lower($1)';
CREATE TABLE shop.list_order (
    id bigint PRIMARY KEY, tag_ids bigint[], small_ids int[], codes varchar[], csv text, lines jsonb
);
CREATE TABLE shop.tag (id bigint PRIMARY KEY, code text, label varchar(20), owner_id bigint);
CREATE TABLE shop.tag_note (id bigint PRIMARY KEY, tag_code text, body text);
CREATE TABLE shop.basket (id bigint PRIMARY KEY, order_ids int[], lines jsonb);
CREATE TABLE shop.aorder (id bigint PRIMARY KEY, ship_id bigint, bill_id bigint, region int NOT NULL, kind text);
CREATE TABLE shop.address (id bigint PRIMARY KEY, city text, region int NOT NULL, kind text);
CREATE TABLE shop.aline (id bigint PRIMARY KEY, order_id bigint, origin_id bigint, sku text);
CREATE TABLE shop.blocked (id bigint PRIMARY KEY, aorder_id bigint, address_id bigint NOT NULL);
CREATE VIEW shop.ship_or_bill AS SELECT o.id, a.city FROM shop.aorder o LEFT JOIN shop.address a ON a.id = COALESCE(o.ship_id, o.bill_id);
CREATE VIEW shop.any_address AS SELECT o.id, a.id AS address, a.city FROM shop.aorder o JOIN shop.address a ON a.id IN (o.ship_id, o.bill_id) AND a.kind IS NOT DISTINCT FROM o.kind;
CREATE TABLE shop.category (id bigint PRIMARY KEY, parent_id bigint, tenant int NOT NULL, name text);
CREATE TABLE shop.category_link (id bigint PRIMARY KEY, parent bigint, child bigint);
CREATE VIEW shop.ranked_notes AS SELECT n.order_id, n.body, rank() OVER (ORDER BY n.body) AS place FROM shop.note n;
CREATE TABLE shop.weighed (id bigint PRIMARY KEY, weight float8);
CREATE TABLE shop.sale (id bigint PRIMARY KEY, currency text, sold timestamp, sold_on date, qty int);
CREATE TABLE shop.period_rate (currency text, day_from date, day_to date, rate numeric, PRIMARY KEY (currency, day_from));
CREATE TABLE shop.day_rate (currency text, day date, rate numeric, PRIMARY KEY (currency, day));
CREATE TABLE shop.holiday (day date PRIMARY KEY, label text);
CREATE TABLE shop.zoned_sale (id bigint PRIMARY KEY, currency text, placed_at timestamptz);
CREATE TABLE shop.tier (id bigint PRIMARY KEY, currency text, least int, most bigint, starts timestamp, percent numeric);
CREATE TABLE shop.tier_label (id bigint PRIMARY KEY, tier_id bigint, label text);
CREATE TABLE shop.numbered_tier (no numeric PRIMARY KEY, currency text, least int, most int, percent numeric);
CREATE TABLE shop.network_tier (network inet PRIMARY KEY, currency text, least int, most int, percent numeric);
