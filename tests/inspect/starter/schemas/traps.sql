-- Where a guess would be wrong: names that mean two things, money that may or may not hold tax, dates of other things.
CREATE TABLE supplier (id bigint PRIMARY KEY, name text, email text);
CREATE TABLE purchase_order (
    id bigint PRIMARY KEY, supplier_id bigint REFERENCES supplier, order_date timestamptz NOT NULL, currency char(3) NOT NULL
);
CREATE TABLE purchase_order_line (
    id bigint PRIMARY KEY, purchase_order_id bigint REFERENCES purchase_order, sku text, qty integer, price numeric(10, 2)
);
CREATE TABLE person (
    id bigint PRIMARY KEY, full_name text, email_private text, email_work text, created_at timestamptz NOT NULL
);
CREATE TABLE place (
    id bigint PRIMARY KEY, street text, house_number text, city text, district text, zip integer, country varchar(60), state_no integer
);
CREATE TABLE goods (id bigint PRIMARY KEY, name text, description text, code_a text, code_b text, cost_price numeric(10, 2));
CREATE TABLE sales_order (
    id bigint PRIMARY KEY, person_id bigint NOT NULL REFERENCES person, ship_place_id bigint REFERENCES place,
    bill_place_id bigint REFERENCES place, state text NOT NULL, created_on timestamptz, created_at timestamptz,
    requested_delivery_date timestamptz, delivery_date timestamptz, currency_id integer, discount_pct numeric(5, 2),
    shipping_price_gross numeric(10, 2), shipping_price numeric(10, 2)
);
CREATE TABLE sales_order_archive (
    id bigint PRIMARY KEY, person_id bigint NOT NULL, state text, created_at timestamptz, currency_id integer
);
CREATE TABLE sales_order_line (
    id bigint PRIMARY KEY, sales_order_id bigint NOT NULL REFERENCES sales_order, goods_id bigint REFERENCES goods,
    qty_ordered integer, qty_open integer, price integer, price_incl_tax integer, line_price numeric(10, 2), text_1 text, text_2 text
);
CREATE TABLE delivery_note (id bigint PRIMARY KEY, sales_order_id bigint REFERENCES sales_order, printed_at timestamptz);
CREATE TABLE shipment (id bigint PRIMARY KEY, sales_order_id bigint REFERENCES sales_order, created_at timestamptz, expected_at date);
CREATE TABLE shipment_line (
    id bigint PRIMARY KEY, shipment_id bigint REFERENCES shipment, sales_order_line_id bigint REFERENCES sales_order_line, qty integer
);
