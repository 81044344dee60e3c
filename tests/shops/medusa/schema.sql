-- Medusa 2: rows are flagged as deleted, and the index on each reference leaves those out. Modules have no foreign keys to each other.
CREATE TYPE order_status_enum AS ENUM ('pending', 'completed', 'draft', 'archived', 'canceled', 'requires_action');

CREATE TABLE customer (
    id text PRIMARY KEY, email text, first_name text, last_name text, phone text, has_account boolean NOT NULL DEFAULT false,
    deleted_at timestamptz
);
CREATE UNIQUE INDEX "IDX_customer_email_has_account_unique" ON customer (email, has_account) WHERE deleted_at IS NULL;

CREATE TABLE order_address (
    id text PRIMARY KEY, first_name text, last_name text, company text, address_1 text, address_2 text, city text, province text,
    postal_code text, country_code text, phone text, deleted_at timestamptz
);

CREATE TABLE "order" (
    id text PRIMARY KEY, display_id integer, customer_id text, version integer NOT NULL DEFAULT 1,
    status order_status_enum NOT NULL DEFAULT 'pending', is_draft_order boolean NOT NULL DEFAULT false, email text,
    currency_code text NOT NULL,
    shipping_address_id text REFERENCES order_address ON UPDATE CASCADE ON DELETE SET NULL,
    billing_address_id text REFERENCES order_address ON UPDATE CASCADE ON DELETE SET NULL,
    metadata jsonb, created_at timestamptz NOT NULL DEFAULT now(), canceled_at timestamptz, deleted_at timestamptz
);
CREATE INDEX "IDX_order_customer_id" ON "order" (customer_id) WHERE deleted_at IS NULL;
CREATE INDEX "IDX_order_shipping_address_id" ON "order" (shipping_address_id) WHERE deleted_at IS NULL;
CREATE INDEX "IDX_order_billing_address_id" ON "order" (billing_address_id) WHERE deleted_at IS NULL;
CREATE INDEX "IDX_order_is_draft_order" ON "order" (is_draft_order) WHERE deleted_at IS NULL;

CREATE TABLE order_line_item (
    id text PRIMARY KEY, title text NOT NULL, product_id text, product_title text, product_type text, variant_id text, variant_sku text,
    variant_title text, thumbnail text, unit_price numeric NOT NULL, metadata jsonb, deleted_at timestamptz
);

-- What an order has of a line, once for each version of the order.
CREATE TABLE order_item (
    id text PRIMARY KEY, order_id text NOT NULL REFERENCES "order" ON UPDATE CASCADE ON DELETE CASCADE, version integer NOT NULL,
    item_id text NOT NULL REFERENCES order_line_item ON UPDATE CASCADE ON DELETE CASCADE, quantity numeric NOT NULL,
    unit_price numeric, return_received_quantity numeric NOT NULL DEFAULT 0, deleted_at timestamptz
);
CREATE INDEX "IDX_order_item_order_id_version" ON order_item (order_id, version) WHERE deleted_at IS NULL;
CREATE INDEX "IDX_order_item_item_id" ON order_item (item_id) WHERE deleted_at IS NULL;

CREATE TABLE order_line_item_adjustment (
    id text PRIMARY KEY, item_id text NOT NULL REFERENCES order_line_item ON UPDATE CASCADE ON DELETE CASCADE, promotion_id text,
    code text, description text, amount numeric NOT NULL, version integer NOT NULL DEFAULT 1, deleted_at timestamptz
);
CREATE INDEX "IDX_order_line_item_adjustment_item_id" ON order_line_item_adjustment (item_id) WHERE deleted_at IS NULL;

CREATE TABLE order_shipping_method (
    id text PRIMARY KEY, name text NOT NULL, amount numeric NOT NULL, shipping_option_id text, deleted_at timestamptz
);

CREATE TABLE order_shipping (
    id text PRIMARY KEY, order_id text NOT NULL REFERENCES "order" ON UPDATE CASCADE ON DELETE CASCADE, version integer NOT NULL,
    shipping_method_id text NOT NULL REFERENCES order_shipping_method ON UPDATE CASCADE ON DELETE CASCADE, return_id text,
    deleted_at timestamptz
);
CREATE INDEX "IDX_order_shipping_order_id_version" ON order_shipping (order_id, version) WHERE deleted_at IS NULL;
CREATE INDEX "IDX_order_shipping_item_id" ON order_shipping (shipping_method_id) WHERE deleted_at IS NULL;
CREATE INDEX "IDX_order_shipping_return_id" ON order_shipping (return_id) WHERE return_id IS NOT NULL AND deleted_at IS NULL;

CREATE TABLE fulfillment (
    id text PRIMARY KEY, packed_at timestamptz, shipped_at timestamptz, delivered_at timestamptz, canceled_at timestamptz,
    deleted_at timestamptz
);

CREATE TABLE fulfillment_item (
    id text PRIMARY KEY, fulfillment_id text NOT NULL REFERENCES fulfillment ON UPDATE CASCADE ON DELETE CASCADE, line_item_id text,
    quantity numeric NOT NULL, deleted_at timestamptz
);
CREATE INDEX "IDX_fulfillment_item_fulfillment_id" ON fulfillment_item (fulfillment_id) WHERE deleted_at IS NULL;
CREATE INDEX "IDX_fulfillment_item_line_item_id" ON fulfillment_item (line_item_id) WHERE deleted_at IS NULL;

CREATE TABLE fulfillment_label (
    id text PRIMARY KEY, fulfillment_id text NOT NULL REFERENCES fulfillment ON UPDATE CASCADE ON DELETE CASCADE,
    tracking_number text NOT NULL, tracking_url text NOT NULL, deleted_at timestamptz
);
CREATE INDEX "IDX_fulfillment_label_fulfillment_id" ON fulfillment_label (fulfillment_id) WHERE deleted_at IS NULL;

-- Links between modules.
CREATE TABLE order_fulfillment (
    order_id varchar(255) NOT NULL, fulfillment_id varchar(255) NOT NULL, deleted_at timestamptz, PRIMARY KEY (order_id, fulfillment_id)
);
CREATE INDEX "IDX_order_id_-e8d2543e" ON order_fulfillment (order_id) WHERE deleted_at IS NULL;
CREATE INDEX "IDX_fulfillment_id_-e8d2543e" ON order_fulfillment (fulfillment_id) WHERE deleted_at IS NULL;

CREATE TABLE promotion (id text PRIMARY KEY, code text NOT NULL, status text NOT NULL, deleted_at timestamptz);

CREATE TABLE order_promotion (
    order_id varchar(255) NOT NULL, promotion_id varchar(255) NOT NULL, deleted_at timestamptz, PRIMARY KEY (order_id, promotion_id)
);
CREATE INDEX "IDX_order_id_-71518339" ON order_promotion (order_id) WHERE deleted_at IS NULL;
CREATE INDEX "IDX_promotion_id_-71518339" ON order_promotion (promotion_id) WHERE deleted_at IS NULL;
