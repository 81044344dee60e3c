-- Like a Python shop with a GraphQL interface: uuids, net and gross beside each other, a copy of the product in the line.
CREATE TABLE account_user (
    id bigint PRIMARY KEY, email varchar(254) NOT NULL, first_name varchar(256) NOT NULL, last_name varchar(256) NOT NULL,
    is_active boolean NOT NULL, date_joined timestamptz NOT NULL, default_shipping_address_id bigint
);
CREATE TABLE account_address (
    id bigint PRIMARY KEY, first_name varchar(256) NOT NULL, last_name varchar(256) NOT NULL, company_name varchar(256) NOT NULL,
    street_address_1 varchar(256) NOT NULL, street_address_2 varchar(256) NOT NULL, city varchar(256) NOT NULL,
    city_area varchar(128) NOT NULL, postal_code varchar(20) NOT NULL, country varchar(2) NOT NULL,
    country_area varchar(128) NOT NULL, phone varchar(128) NOT NULL
);
CREATE TABLE product_product (id bigint PRIMARY KEY, name varchar(250) NOT NULL, slug varchar(255) NOT NULL);
CREATE TABLE product_productvariant (
    id bigint PRIMARY KEY, sku varchar(255), name varchar(255) NOT NULL, product_id bigint NOT NULL REFERENCES product_product
);
CREATE TABLE order_order (
    id uuid PRIMARY KEY, number integer NOT NULL, created_at timestamptz NOT NULL, updated_at timestamptz NOT NULL,
    status varchar(32) NOT NULL, user_id bigint REFERENCES account_user, user_email varchar(254) NOT NULL,
    billing_address_id bigint REFERENCES account_address, shipping_address_id bigint REFERENCES account_address,
    currency varchar(3) NOT NULL, shipping_method_name varchar(255), shipping_price_net_amount numeric(20, 3) NOT NULL,
    shipping_price_gross_amount numeric(20, 3) NOT NULL, base_shipping_price_amount numeric(20, 3) NOT NULL,
    undiscounted_base_shipping_price_amount numeric(20, 3) NOT NULL, total_net_amount numeric(20, 3) NOT NULL,
    total_gross_amount numeric(20, 3) NOT NULL, voucher_code varchar(255), expired_at timestamptz
);
CREATE TABLE order_orderline (
    id uuid PRIMARY KEY, created_at timestamptz NOT NULL, order_id uuid NOT NULL REFERENCES order_order, quantity integer NOT NULL,
    quantity_fulfilled integer NOT NULL, product_name varchar(386) NOT NULL, variant_name varchar(255) NOT NULL,
    translated_product_name varchar(386) NOT NULL, product_sku varchar(255), variant_id bigint REFERENCES product_productvariant,
    unit_price_net_amount numeric(20, 3) NOT NULL, unit_price_gross_amount numeric(20, 3) NOT NULL,
    base_unit_price_amount numeric(20, 3) NOT NULL, undiscounted_unit_price_net_amount numeric(20, 3) NOT NULL,
    total_price_net_amount numeric(20, 3) NOT NULL, unit_discount_amount numeric(20, 3) NOT NULL, tax_rate numeric(5, 4)
);
CREATE TABLE order_fulfillment (
    id bigint PRIMARY KEY, fulfillment_order integer NOT NULL, created_at timestamptz NOT NULL, order_id uuid NOT NULL REFERENCES order_order,
    tracking_number varchar(255) NOT NULL, status varchar(32) NOT NULL
);
CREATE TABLE order_fulfillmentline (
    id bigint PRIMARY KEY, order_line_id uuid NOT NULL REFERENCES order_orderline, quantity integer NOT NULL,
    fulfillment_id bigint NOT NULL REFERENCES order_fulfillment
);
CREATE TABLE order_orderevent (id bigint PRIMARY KEY, date timestamptz NOT NULL, type varchar(255), order_id uuid NOT NULL REFERENCES order_order);
CREATE TABLE discount_orderdiscount (id uuid PRIMARY KEY, order_id uuid REFERENCES order_order, amount_value numeric(20, 3) NOT NULL);
CREATE TABLE checkout_checkout (token uuid PRIMARY KEY, email varchar(254), shipping_address_id bigint REFERENCES account_address);
