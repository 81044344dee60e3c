-- Solidus: adjustments belong to an order, a line or a shipment, and come from a promotion's action or a tax rate, by the names of
-- Ruby classes; tables have integer keys of their own and few foreign keys.
CREATE TABLE spree_countries (id serial PRIMARY KEY, iso varchar, name varchar);
CREATE INDEX index_spree_countries_on_iso ON spree_countries (iso);

CREATE TABLE spree_states (id serial PRIMARY KEY, name varchar, abbr varchar, country_id integer);
CREATE INDEX index_spree_states_on_country_id ON spree_states (country_id);

CREATE TABLE spree_addresses (
    id serial PRIMARY KEY, name varchar, address1 varchar, address2 varchar, city varchar, zipcode varchar, phone varchar,
    state_name varchar, company varchar, state_id integer, country_id integer
);
CREATE INDEX index_spree_addresses_on_country_id ON spree_addresses (country_id);
CREATE INDEX index_spree_addresses_on_state_id ON spree_addresses (state_id);
CREATE INDEX index_spree_addresses_on_name ON spree_addresses (name);

CREATE TABLE spree_orders (
    id serial PRIMARY KEY, number varchar(32), state varchar, user_id integer, completed_at timestamp, canceled_at timestamp,
    ship_address_id integer, bill_address_id integer, email varchar, currency varchar, channel varchar DEFAULT 'spree'
);
-- The shop's models keep numbers unique, not its index.
CREATE UNIQUE INDEX index_spree_orders_on_number ON spree_orders (number);
CREATE INDEX index_spree_orders_on_completed_at ON spree_orders (completed_at);
CREATE INDEX index_spree_orders_on_user_id ON spree_orders (user_id);
CREATE INDEX index_spree_orders_on_ship_address_id ON spree_orders (ship_address_id);
CREATE INDEX index_spree_orders_on_bill_address_id ON spree_orders (bill_address_id);

CREATE TABLE spree_products (id serial PRIMARY KEY, name varchar NOT NULL DEFAULT '', slug varchar, deleted_at timestamp);
CREATE INDEX index_spree_products_on_deleted_at ON spree_products (deleted_at);

CREATE TABLE spree_variants (
    id serial PRIMARY KEY, sku varchar NOT NULL DEFAULT '', product_id integer, is_master boolean DEFAULT false, deleted_at timestamp
);
CREATE INDEX index_spree_variants_on_product_id ON spree_variants (product_id);
CREATE INDEX index_spree_variants_on_sku ON spree_variants (sku);

CREATE TABLE spree_line_items (
    id serial PRIMARY KEY, variant_id integer, order_id integer, quantity integer NOT NULL, price numeric(10, 2) NOT NULL
);
CREATE INDEX index_spree_line_items_on_order_id ON spree_line_items (order_id);
CREATE INDEX index_spree_line_items_on_variant_id ON spree_line_items (variant_id);

CREATE TABLE spree_promotions (id serial PRIMARY KEY, name varchar, description varchar, expires_at timestamp);

CREATE TABLE spree_promotion_actions (id serial PRIMARY KEY, promotion_id integer, type varchar, deleted_at timestamp);
CREATE INDEX index_spree_promotion_actions_on_promotion_id ON spree_promotion_actions (promotion_id);
CREATE INDEX index_spree_promotion_actions_on_deleted_at ON spree_promotion_actions (deleted_at);

CREATE TABLE spree_adjustments (
    id serial PRIMARY KEY, source_type varchar, source_id integer, adjustable_type varchar, adjustable_id integer NOT NULL,
    amount numeric(10, 2), label varchar, eligible boolean DEFAULT true, order_id integer NOT NULL, included boolean DEFAULT false
);
CREATE INDEX index_spree_adjustments_on_adjustable_id_and_adjustable_type ON spree_adjustments (adjustable_id, adjustable_type);
CREATE INDEX index_spree_adjustments_on_source_id_and_source_type ON spree_adjustments (source_id, source_type);
CREATE INDEX index_spree_adjustments_on_order_id ON spree_adjustments (order_id);
CREATE INDEX index_spree_adjustments_on_eligible ON spree_adjustments (eligible);

CREATE TABLE spree_promotion_codes (id serial PRIMARY KEY, promotion_id integer NOT NULL, value varchar NOT NULL);
CREATE UNIQUE INDEX index_spree_promotion_codes_on_value ON spree_promotion_codes (value);
CREATE INDEX index_spree_promotion_codes_on_promotion_id ON spree_promotion_codes (promotion_id);

CREATE TABLE spree_orders_promotions (
    id serial PRIMARY KEY, order_id integer, promotion_id integer, promotion_code_id integer REFERENCES spree_promotion_codes
);
CREATE INDEX index_spree_orders_promotions_on_order_id_and_promotion_id ON spree_orders_promotions (order_id, promotion_id);
CREATE INDEX index_spree_orders_promotions_on_promotion_code_id ON spree_orders_promotions (promotion_code_id);

CREATE TABLE spree_shipping_methods (id serial PRIMARY KEY, name varchar, carrier varchar, code varchar, deleted_at timestamp);

CREATE TABLE spree_shipments (
    id serial PRIMARY KEY, number varchar, tracking varchar, cost numeric(10, 2) DEFAULT 0, shipped_at timestamp, order_id integer,
    state varchar
);
CREATE INDEX index_shipments_on_number ON spree_shipments (number);
CREATE INDEX index_spree_shipments_on_order_id ON spree_shipments (order_id);

CREATE TABLE spree_shipping_rates (
    id serial PRIMARY KEY, shipment_id integer, shipping_method_id integer, selected boolean DEFAULT false, cost numeric(8, 2) DEFAULT 0
);
CREATE UNIQUE INDEX spree_shipping_rates_join_index ON spree_shipping_rates (shipment_id, shipping_method_id);

-- One row for each unit of a line.
CREATE TABLE spree_inventory_units (
    id serial PRIMARY KEY, state varchar, variant_id integer, shipment_id integer, line_item_id integer, carton_id integer
);
CREATE INDEX index_inventory_units_on_shipment_id ON spree_inventory_units (shipment_id);
CREATE INDEX index_inventory_units_on_variant_id ON spree_inventory_units (variant_id);
CREATE INDEX index_spree_inventory_units_on_line_item_id ON spree_inventory_units (line_item_id);
