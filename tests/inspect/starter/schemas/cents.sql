-- Money in whole cents, ids that are texts with underscores, several schemas, order lines that copy the product.
CREATE SCHEMA checkout;
CREATE SCHEMA crm;
CREATE TABLE crm.customers (id text PRIMARY KEY, email text NOT NULL, first_name text, last_name text, deleted_at timestamptz);
CREATE TABLE checkout.order_address (
    id text PRIMARY KEY, first_name text, last_name text, address_1 text, address_2 text, city text, province text,
    postal_code text, country_code text
);
CREATE TABLE checkout."order" (
    id text PRIMARY KEY, display_id integer NOT NULL, customer_id text REFERENCES crm.customers, email text,
    currency_code text NOT NULL, shipping_address_id text REFERENCES checkout.order_address,
    billing_address_id text REFERENCES checkout.order_address, shipping_cents bigint NOT NULL,
    created_at timestamptz NOT NULL, updated_at timestamptz NOT NULL, canceled_at timestamptz, deleted_at timestamptz
);
CREATE TABLE checkout.order_line_item (
    id text PRIMARY KEY, order_id text NOT NULL REFERENCES checkout."order", title text NOT NULL, variant_sku text, product_id text,
    quantity integer NOT NULL, unit_price_cents bigint NOT NULL, total integer NOT NULL
);
CREATE TABLE checkout.cart (id text PRIMARY KEY, customer_id text, created_at timestamptz);
CREATE TABLE checkout.order_change (id text PRIMARY KEY, order_id text REFERENCES checkout."order", created_at timestamptz);
CREATE TABLE checkout.fulfillment (
    id text PRIMARY KEY, order_id text NOT NULL REFERENCES checkout."order", shipped_at timestamptz, delivered_at timestamptz,
    tracking_number text
);
CREATE TABLE checkout.fulfillment_item (
    id text PRIMARY KEY, fulfillment_id text NOT NULL REFERENCES checkout.fulfillment,
    line_item_id text NOT NULL REFERENCES checkout.order_line_item, quantity integer NOT NULL
);
