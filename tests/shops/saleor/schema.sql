-- Saleor 3: Django's tables, each with an index on every foreign key; orders and lines have UUIDs, translations and metadata stand beside.
CREATE TABLE account_address (
    id serial PRIMARY KEY, first_name varchar(256) NOT NULL, last_name varchar(256) NOT NULL, company_name varchar(256) NOT NULL,
    street_address_1 varchar(256) NOT NULL, street_address_2 varchar(256) NOT NULL, city varchar(256) NOT NULL,
    postal_code varchar(20) NOT NULL, country varchar(2) NOT NULL, country_area varchar(128) NOT NULL, phone varchar(128) NOT NULL
);

CREATE TABLE account_user (
    id serial PRIMARY KEY, email varchar(254) NOT NULL UNIQUE, first_name varchar(256) NOT NULL, last_name varchar(256) NOT NULL,
    is_active boolean NOT NULL, metadata jsonb
);

CREATE TABLE channel_channel (
    id serial PRIMARY KEY, name varchar(250) NOT NULL, slug varchar(255) NOT NULL UNIQUE, currency_code varchar(3) NOT NULL
);

CREATE TABLE shipping_shippingmethod (id serial PRIMARY KEY, name varchar(100) NOT NULL, type varchar(30) NOT NULL);

CREATE TABLE order_order (
    id uuid PRIMARY KEY, number integer NOT NULL UNIQUE, created_at timestamptz NOT NULL, status varchar(32) NOT NULL,
    language_code varchar(35) NOT NULL, user_email varchar(254) NOT NULL, currency varchar(3) NOT NULL,
    shipping_method_name varchar(255), shipping_price_net_amount numeric(20, 3) NOT NULL, voucher_code varchar(255), metadata jsonb,
    user_id integer REFERENCES account_user DEFERRABLE INITIALLY DEFERRED,
    shipping_address_id integer REFERENCES account_address DEFERRABLE INITIALLY DEFERRED,
    billing_address_id integer REFERENCES account_address DEFERRABLE INITIALLY DEFERRED,
    channel_id integer NOT NULL REFERENCES channel_channel DEFERRABLE INITIALLY DEFERRED,
    shipping_method_id integer REFERENCES shipping_shippingmethod DEFERRABLE INITIALLY DEFERRED
);
CREATE INDEX order_order_user_id_7cf9bc2b ON order_order (user_id);
CREATE INDEX order_order_shipping_address_id_57e64931 ON order_order (shipping_address_id);
CREATE INDEX order_order_billing_address_id_8fe537cf ON order_order (billing_address_id);
CREATE INDEX order_order_channel_id_5b59b2ba ON order_order (channel_id);
CREATE INDEX order_order_shipping_method_id_2a742834 ON order_order (shipping_method_id);
CREATE INDEX idx_order_created_at ON order_order (created_at);

CREATE TABLE product_product (id serial PRIMARY KEY, name varchar(250) NOT NULL, slug varchar(255) NOT NULL UNIQUE, metadata jsonb);

CREATE TABLE product_producttranslation (
    id serial PRIMARY KEY, language_code varchar(35) NOT NULL, name varchar(255),
    product_id integer NOT NULL REFERENCES product_product DEFERRABLE INITIALLY DEFERRED, UNIQUE (language_code, product_id)
);
CREATE INDEX product_producttranslation_product_id_2c2c7532 ON product_producttranslation (product_id);

CREATE TABLE product_productvariant (
    id serial PRIMARY KEY, name varchar(255) NOT NULL, sku varchar(255) UNIQUE,
    product_id integer NOT NULL REFERENCES product_product DEFERRABLE INITIALLY DEFERRED
);
CREATE INDEX product_productvariant_product_id_43c5a310 ON product_productvariant (product_id);

CREATE TABLE order_orderline (
    id uuid PRIMARY KEY, created_at timestamptz NOT NULL, product_name varchar(386) NOT NULL, variant_name varchar(255) NOT NULL,
    product_sku varchar(255), product_variant_id varchar(255), quantity integer NOT NULL, quantity_fulfilled integer NOT NULL,
    undiscounted_unit_price_net_amount numeric(20, 3) NOT NULL, unit_discount_amount numeric(20, 3) NOT NULL, unit_discount_reason text,
    total_price_net_amount numeric(20, 3) NOT NULL, total_price_gross_amount numeric(20, 3) NOT NULL, tax_rate numeric(5, 4),
    is_gift_card boolean NOT NULL, metadata jsonb,
    order_id uuid NOT NULL REFERENCES order_order DEFERRABLE INITIALLY DEFERRED,
    variant_id integer REFERENCES product_productvariant DEFERRABLE INITIALLY DEFERRED
);
CREATE INDEX order_orderline_order_id_eb04ec2d ON order_orderline (order_id);
CREATE INDEX order_orderline_variant_id_866774cb ON order_orderline (variant_id);

CREATE TABLE discount_orderdiscount (
    id uuid PRIMARY KEY, type varchar(64) NOT NULL, name varchar(255), translated_name varchar(255), reason text, voucher_code varchar(255),
    amount_value numeric(20, 3) NOT NULL, order_id uuid REFERENCES order_order DEFERRABLE INITIALLY DEFERRED
);
CREATE INDEX discount_orderdiscount_order_id_bdd4a8be ON discount_orderdiscount (order_id);

CREATE TABLE order_fulfillment (
    id serial PRIMARY KEY, fulfillment_order integer NOT NULL, status varchar(32) NOT NULL, tracking_number varchar(255) NOT NULL,
    created_at timestamptz NOT NULL, order_id uuid NOT NULL REFERENCES order_order DEFERRABLE INITIALLY DEFERRED
);
CREATE INDEX order_fulfillment_order_id_02695111 ON order_fulfillment (order_id);

CREATE TABLE order_fulfillmentline (
    id serial PRIMARY KEY, quantity integer NOT NULL CHECK (quantity >= 0),
    fulfillment_id integer NOT NULL REFERENCES order_fulfillment DEFERRABLE INITIALLY DEFERRED,
    order_line_id uuid NOT NULL REFERENCES order_orderline DEFERRABLE INITIALLY DEFERRED
);
CREATE INDEX order_fulfillmentline_fulfillment_id_68f3291d ON order_fulfillmentline (fulfillment_id);
CREATE INDEX order_fulfillmentline_order_line_id_7d40e054 ON order_fulfillmentline (order_line_id);

CREATE TABLE giftcard_giftcard (id serial PRIMARY KEY, code varchar(16) NOT NULL UNIQUE, is_active boolean NOT NULL);

CREATE TABLE order_order_gift_cards (
    id serial PRIMARY KEY, order_id uuid NOT NULL REFERENCES order_order DEFERRABLE INITIALLY DEFERRED,
    giftcard_id integer NOT NULL REFERENCES giftcard_giftcard DEFERRABLE INITIALLY DEFERRED, UNIQUE (order_id, giftcard_id)
);
CREATE INDEX order_order_gift_cards_order_id_ce5608c4 ON order_order_gift_cards (order_id);
CREATE INDEX order_order_gift_cards_giftcard_id_f6844926 ON order_order_gift_cards (giftcard_id);
