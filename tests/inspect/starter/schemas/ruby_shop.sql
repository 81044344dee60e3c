-- A shop framework of the Ruby kind: every table has the same prefix, variants, states and countries in tables of their
-- own, a cart that is an order until it is completed, adjustments for discounts and taxes alike.
CREATE TYPE order_state AS ENUM ('cart', 'complete', 'returned', 'canceled');
CREATE TABLE shopfw_countries (id integer PRIMARY KEY, name varchar(100), iso varchar(2), iso3 varchar(3), states_required boolean);
CREATE TABLE shopfw_states (id integer PRIMARY KEY, country_id integer REFERENCES shopfw_countries, name varchar(100), abbr varchar(10));
CREATE TABLE shopfw_users (id bigint PRIMARY KEY, email varchar(255), encrypted_password varchar(255), created_at timestamp);
CREATE TABLE shopfw_addresses (
    id bigint PRIMARY KEY, firstname varchar(255), lastname varchar(255), address1 varchar(255), address2 varchar(255),
    city varchar(255), zipcode varchar(255), phone varchar(255), state_id integer REFERENCES shopfw_states,
    state_name varchar(255), country_id integer NOT NULL REFERENCES shopfw_countries
);
CREATE TABLE shopfw_products (id bigint PRIMARY KEY, name varchar(255) NOT NULL, description text, slug varchar(255));
CREATE TABLE shopfw_variants (id bigint PRIMARY KEY, sku varchar(255) NOT NULL, product_id bigint NOT NULL REFERENCES shopfw_products, cost_price numeric(10, 2));
CREATE TABLE shopfw_orders (
    id bigint PRIMARY KEY, number varchar(32) NOT NULL, state order_state NOT NULL, item_total numeric(10, 2), total numeric(10, 2),
    user_id bigint REFERENCES shopfw_users, bill_address_id bigint REFERENCES shopfw_addresses,
    ship_address_id bigint REFERENCES shopfw_addresses, shipment_total numeric(10, 2) NOT NULL DEFAULT 0, email varchar(255),
    currency varchar(3) NOT NULL, completed_at timestamp, created_at timestamp NOT NULL, updated_at timestamp NOT NULL
);
CREATE TABLE shopfw_line_items (
    id bigint PRIMARY KEY, variant_id bigint NOT NULL REFERENCES shopfw_variants, order_id bigint NOT NULL REFERENCES shopfw_orders,
    quantity integer NOT NULL, price numeric(10, 2) NOT NULL, cost_price numeric(10, 2), adjustment_total numeric(10, 2)
);
CREATE TABLE shopfw_adjustments (id bigint PRIMARY KEY, order_id bigint NOT NULL REFERENCES shopfw_orders, amount numeric(10, 2), label varchar(255));
CREATE TABLE shopfw_shipments (id bigint PRIMARY KEY, order_id bigint REFERENCES shopfw_orders, tracking varchar(255), state varchar(255), shipped_at timestamp);
CREATE TABLE shopfw_inventory_units (
    id bigint PRIMARY KEY, state varchar(255), variant_id bigint REFERENCES shopfw_variants,
    shipment_id bigint REFERENCES shopfw_shipments, line_item_id bigint REFERENCES shopfw_line_items
);
CREATE TABLE shopfw_payments (id bigint PRIMARY KEY, order_id bigint REFERENCES shopfw_orders, amount numeric(10, 2), state varchar(255));
CREATE TABLE shopfw_order_promotions (id bigint PRIMARY KEY, order_id bigint REFERENCES shopfw_orders, promotion_id bigint);
