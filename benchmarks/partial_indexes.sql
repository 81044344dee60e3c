-- An OMS in which rows are marked as gone instead of deleted, and every foreign key has an index on the others only.
CREATE SCHEMA web;
CREATE TABLE web.buyer (id text PRIMARY KEY, email text NOT NULL, given text, family text, deleted_at timestamptz);
CREATE TABLE web.place (id text PRIMARY KEY, street text, city text, state text, zip text, deleted_at timestamptz);
CREATE TABLE web.sale (
    id text PRIMARY KEY, no bigint NOT NULL, placed_at timestamptz NOT NULL, buyer_id text, place_id text, note text,
    deleted_at timestamptz
);
CREATE TABLE web.line (id text PRIMARY KEY, product text, title text, price numeric(12, 2), deleted_at timestamptz);
CREATE TABLE web.entry (id text PRIMARY KEY, sale_id text NOT NULL, line_id text NOT NULL, quantity int, deleted_at timestamptz);
CREATE TABLE web.parcel (id text PRIMARY KEY, tracking text, sent_at timestamptz, deleted_at timestamptz);
CREATE TABLE web.sale_parcel (id text PRIMARY KEY, sale_id text NOT NULL, parcel_id text NOT NULL, deleted_at timestamptz);

INSERT INTO web.buyer SELECT 'cus_' || n, 'b' || n || '@shop.example', 'Ada', 'Byron' FROM generate_series(1, :orders / 3 + 1) n;
INSERT INTO web.place SELECT 'adr_' || n, n || ' Main St', 'Provo', 'UT', '84601' FROM generate_series(1, :orders) n;
INSERT INTO web.sale
SELECT 'ord_' || n, n, '2026-01-05 10:00Z'::timestamptz + n * interval '1 second', 'cus_' || n / 3 + 1, 'adr_' || n
FROM generate_series(1, :orders) n;
INSERT INTO web.line SELECT 'lin_' || n, 'P' || n % 1000, 'Mug ' || n % 1000, 12.5 FROM generate_series(1, :orders * 2) n;
INSERT INTO web.entry
SELECT 'ent_' || n, 'ord_' || (n + 1) / 2, 'lin_' || n, 1 + n % 3, CASE WHEN n % 50 = 0 THEN now() END
FROM generate_series(1, :orders * 2) n;
INSERT INTO web.parcel SELECT 'par_' || n, 'T' || n, now() FROM generate_series(1, :orders) n;
INSERT INTO web.sale_parcel SELECT 'spa_' || n, 'ord_' || n, 'par_' || n FROM generate_series(1, :orders) n;

CREATE INDEX ON web.sale (buyer_id) WHERE deleted_at IS NULL;
CREATE INDEX ON web.sale (place_id) WHERE deleted_at IS NULL;
CREATE INDEX ON web.entry (sale_id) WHERE deleted_at IS NULL;
CREATE INDEX ON web.entry (line_id) WHERE deleted_at IS NULL;
CREATE INDEX ON web.sale_parcel (sale_id) WHERE deleted_at IS NULL;
CREATE INDEX ON web.sale_parcel (parcel_id) WHERE deleted_at IS NULL;
