-- The tables around orders of django-oscar 4.2, a Django application: apps give tables their prefixes.
CREATE TABLE address_country (
    iso_3166_1_a2 varchar(2) PRIMARY KEY, iso_3166_1_a3 varchar(3) NOT NULL, iso_3166_1_numeric varchar(3) NOT NULL,
    printable_name varchar(128) NOT NULL, name varchar(128) NOT NULL, display_order smallint NOT NULL,
    is_shipping_country boolean NOT NULL
);
CREATE TABLE address_useraddress (
    id integer PRIMARY KEY, title varchar(64) NOT NULL, first_name varchar(255) NOT NULL,
    last_name varchar(255) NOT NULL, line1 varchar(255) NOT NULL, line2 varchar(255) NOT NULL,
    line3 varchar(255) NOT NULL, line4 varchar(255) NOT NULL, state varchar(255) NOT NULL,
    postcode varchar(64) NOT NULL, search_text text NOT NULL, phone_number varchar(128) NOT NULL,
    notes text NOT NULL, is_default_for_shipping boolean NOT NULL, is_default_for_billing boolean NOT NULL,
    num_orders_as_shipping_address integer NOT NULL, hash varchar(255) NOT NULL, date_created timestamptz NOT NULL,
    country_id varchar(2) NOT NULL, user_id integer NOT NULL, num_orders_as_billing_address integer NOT NULL,
    code varchar(255)
);
CREATE TABLE auth_user (
    id integer PRIMARY KEY, password varchar(128) NOT NULL, last_login timestamptz, is_superuser boolean NOT NULL,
    username varchar(150) NOT NULL, first_name varchar(150) NOT NULL, last_name varchar(150) NOT NULL,
    email varchar(254) NOT NULL, is_staff boolean NOT NULL, is_active boolean NOT NULL,
    date_joined timestamptz NOT NULL
);
CREATE TABLE basket_basket (
    id integer PRIMARY KEY, status varchar(128) NOT NULL, date_created timestamptz NOT NULL,
    date_merged timestamptz, date_submitted timestamptz, owner_id integer
);
CREATE TABLE basket_line (
    id integer PRIMARY KEY, line_reference varchar(128) NOT NULL, quantity integer NOT NULL,
    price_currency varchar(12) NOT NULL, price_excl_tax numeric(12,2), price_incl_tax numeric(12,2),
    date_created timestamptz NOT NULL, basket_id integer NOT NULL, product_id integer NOT NULL,
    stockrecord_id integer NOT NULL, date_updated timestamptz NOT NULL, tax_code varchar(64)
);
CREATE TABLE catalogue_product (
    id integer PRIMARY KEY, structure varchar(10) NOT NULL, upc varchar(64), title varchar(255) NOT NULL,
    slug varchar(255) NOT NULL, description text NOT NULL, rating double precision,
    date_created timestamptz NOT NULL, date_updated timestamptz NOT NULL, is_discountable boolean NOT NULL,
    parent_id integer, product_class_id integer, is_public boolean NOT NULL, meta_description text,
    meta_title varchar(255), priority smallint NOT NULL, code varchar(255)
);
CREATE TABLE catalogue_category (
    id integer PRIMARY KEY, path varchar(255) NOT NULL, depth integer NOT NULL, numchild integer NOT NULL,
    name varchar(255) NOT NULL, description text NOT NULL, image varchar(255), slug varchar(255) NOT NULL,
    ancestors_are_public boolean NOT NULL, is_public boolean NOT NULL, meta_description text,
    meta_title varchar(255), code varchar(255), exclude_from_menu boolean NOT NULL, long_description text NOT NULL
);
CREATE TABLE order_order (
    id integer PRIMARY KEY, number varchar(128) NOT NULL, currency varchar(12) NOT NULL,
    total_incl_tax numeric(12,2) NOT NULL, total_excl_tax numeric(12,2) NOT NULL,
    shipping_incl_tax numeric(12,2) NOT NULL, shipping_excl_tax numeric(12,2) NOT NULL,
    shipping_method varchar(128) NOT NULL, shipping_code varchar(128) NOT NULL, status varchar(100) NOT NULL,
    guest_email varchar(254) NOT NULL, date_placed timestamptz NOT NULL, basket_id integer,
    billing_address_id integer, shipping_address_id integer, site_id integer, user_id integer,
    shipping_tax_code varchar(64), analytics_tracked boolean NOT NULL
);
CREATE TABLE order_line (
    id integer PRIMARY KEY, partner_name varchar(128) NOT NULL, partner_sku varchar(128) NOT NULL,
    partner_line_reference varchar(128) NOT NULL, partner_line_notes text NOT NULL, title varchar(255) NOT NULL,
    upc varchar(128), quantity integer NOT NULL, line_price_incl_tax numeric(12,2) NOT NULL,
    line_price_excl_tax numeric(12,2) NOT NULL, line_price_before_discounts_incl_tax numeric(12,2) NOT NULL,
    line_price_before_discounts_excl_tax numeric(12,2) NOT NULL, unit_price_incl_tax numeric(12,2),
    unit_price_excl_tax numeric(12,2), status varchar(255) NOT NULL, order_id integer NOT NULL, partner_id integer,
    product_id integer, stockrecord_id integer, tax_code varchar(64), allocation_cancelled boolean NOT NULL,
    num_allocated integer NOT NULL
);
CREATE TABLE order_lineattribute (
    id integer PRIMARY KEY, type varchar(128) NOT NULL, value jsonb NOT NULL, line_id integer NOT NULL,
    option_id integer
);
CREATE TABLE order_lineprice (
    id integer PRIMARY KEY, quantity integer NOT NULL, price_incl_tax numeric(12,2) NOT NULL,
    price_excl_tax numeric(12,2) NOT NULL, shipping_incl_tax numeric(12,2) NOT NULL,
    shipping_excl_tax numeric(12,2) NOT NULL, line_id integer NOT NULL, order_id integer NOT NULL,
    tax_code varchar(64)
);
CREATE TABLE order_billingaddress (
    id integer PRIMARY KEY, title varchar(64) NOT NULL, first_name varchar(255) NOT NULL,
    last_name varchar(255) NOT NULL, line1 varchar(255) NOT NULL, line2 varchar(255) NOT NULL,
    line3 varchar(255) NOT NULL, line4 varchar(255) NOT NULL, state varchar(255) NOT NULL,
    postcode varchar(64) NOT NULL, search_text text NOT NULL, country_id varchar(2) NOT NULL, code varchar(255)
);
CREATE TABLE order_shippingaddress (
    id integer PRIMARY KEY, title varchar(64) NOT NULL, first_name varchar(255) NOT NULL,
    last_name varchar(255) NOT NULL, line1 varchar(255) NOT NULL, line2 varchar(255) NOT NULL,
    line3 varchar(255) NOT NULL, line4 varchar(255) NOT NULL, state varchar(255) NOT NULL,
    postcode varchar(64) NOT NULL, search_text text NOT NULL, phone_number varchar(128) NOT NULL,
    notes text NOT NULL, country_id varchar(2) NOT NULL, code varchar(255)
);
CREATE TABLE order_communicationevent (
    id integer PRIMARY KEY, date_created timestamptz NOT NULL, event_type_id integer NOT NULL,
    order_id integer NOT NULL
);
CREATE TABLE order_orderdiscount (
    id integer PRIMARY KEY, category varchar(64) NOT NULL, offer_id integer, offer_name varchar(128) NOT NULL,
    voucher_id integer, voucher_code varchar(128) NOT NULL, frequency integer, amount numeric(12,2) NOT NULL,
    message text NOT NULL, order_id integer NOT NULL
);
CREATE TABLE order_orderlinediscount (
    id integer PRIMARY KEY, is_incl_tax boolean NOT NULL, amount numeric(12,2) NOT NULL, line_id integer NOT NULL,
    order_discount_id integer NOT NULL
);
CREATE TABLE order_ordernote (
    id integer PRIMARY KEY, note_type varchar(128) NOT NULL, message text NOT NULL,
    date_created timestamptz NOT NULL, date_updated timestamptz NOT NULL, order_id integer NOT NULL, user_id integer
);
CREATE TABLE order_orderstatuschange (
    id integer PRIMARY KEY, old_status varchar(100) NOT NULL, new_status varchar(100) NOT NULL,
    date_created timestamptz NOT NULL, order_id integer NOT NULL
);
CREATE TABLE order_surcharge (
    id integer PRIMARY KEY, name varchar(128) NOT NULL, code varchar(128) NOT NULL, incl_tax numeric(12,2) NOT NULL,
    excl_tax numeric(12,2) NOT NULL, order_id integer NOT NULL, tax_code varchar(64)
);
CREATE TABLE order_paymentevent (
    id integer PRIMARY KEY, amount numeric(12,2) NOT NULL, reference varchar(128) NOT NULL,
    date_created timestamptz NOT NULL, event_type_id integer NOT NULL, order_id integer NOT NULL,
    shipping_event_id integer
);
CREATE TABLE order_paymenteventquantity (
    id integer PRIMARY KEY, quantity integer NOT NULL, event_id integer NOT NULL, line_id integer NOT NULL
);
CREATE TABLE order_paymenteventtype (
    id integer PRIMARY KEY, name varchar(128) NOT NULL, code varchar(128) NOT NULL
);
CREATE TABLE order_shippingevent (
    id integer PRIMARY KEY, notes text NOT NULL, date_created timestamptz NOT NULL, event_type_id integer NOT NULL,
    order_id integer NOT NULL
);
CREATE TABLE order_shippingeventquantity (
    id integer PRIMARY KEY, quantity integer NOT NULL, event_id integer NOT NULL, line_id integer NOT NULL
);
CREATE TABLE order_shippingeventtype (
    id integer PRIMARY KEY, name varchar(255) NOT NULL, code varchar(128) NOT NULL
);
CREATE TABLE partner_partner (
    id integer PRIMARY KEY, code varchar(128) NOT NULL, name varchar(128) NOT NULL
);
CREATE TABLE partner_stockrecord (
    id integer PRIMARY KEY, partner_sku varchar(128) NOT NULL, price_currency varchar(12) NOT NULL,
    price numeric(12,2), num_in_stock integer, num_allocated integer, low_stock_threshold integer,
    date_created timestamptz NOT NULL, date_updated timestamptz NOT NULL, partner_id integer NOT NULL,
    product_id integer NOT NULL
);
CREATE TABLE payment_source (
    id integer PRIMARY KEY, currency varchar(12) NOT NULL, amount_allocated numeric(12,2) NOT NULL,
    amount_debited numeric(12,2) NOT NULL, amount_refunded numeric(12,2) NOT NULL, reference varchar(255) NOT NULL,
    label varchar(128) NOT NULL, order_id integer NOT NULL, source_type_id integer NOT NULL
);
CREATE TABLE payment_sourcetype (
    id integer PRIMARY KEY, name varchar(128) NOT NULL, code varchar(128) NOT NULL
);
CREATE TABLE payment_transaction (
    id integer PRIMARY KEY, txn_type varchar(128) NOT NULL, amount numeric(12,2) NOT NULL,
    reference varchar(128) NOT NULL, status varchar(128) NOT NULL, date_created timestamptz NOT NULL,
    source_id integer NOT NULL
);
CREATE TABLE voucher_voucherapplication (
    id integer PRIMARY KEY, date_created timestamptz NOT NULL, order_id integer NOT NULL, user_id integer,
    voucher_id integer NOT NULL
);
CREATE TABLE django_site (
    id integer PRIMARY KEY, domain varchar(100) NOT NULL, name varchar(50) NOT NULL
);
CREATE TABLE analytics_userrecord (
    id integer PRIMARY KEY, num_product_views integer NOT NULL, num_basket_additions integer NOT NULL,
    num_orders integer NOT NULL, num_order_lines integer NOT NULL, num_order_items integer NOT NULL,
    total_spent numeric(12,2) NOT NULL, date_last_order timestamptz, user_id integer NOT NULL
);
CREATE TABLE wishlists_line (
    id integer PRIMARY KEY, quantity integer NOT NULL, title varchar(255) NOT NULL, product_id integer,
    wishlist_id integer NOT NULL
);
ALTER TABLE address_useraddress ADD FOREIGN KEY (country_id) REFERENCES address_country;
ALTER TABLE address_useraddress ADD FOREIGN KEY (user_id) REFERENCES auth_user;
ALTER TABLE basket_basket ADD FOREIGN KEY (owner_id) REFERENCES auth_user;
ALTER TABLE basket_line ADD FOREIGN KEY (basket_id) REFERENCES basket_basket;
ALTER TABLE basket_line ADD FOREIGN KEY (product_id) REFERENCES catalogue_product;
ALTER TABLE basket_line ADD FOREIGN KEY (stockrecord_id) REFERENCES partner_stockrecord;
ALTER TABLE catalogue_product ADD FOREIGN KEY (parent_id) REFERENCES catalogue_product;
ALTER TABLE order_order ADD FOREIGN KEY (shipping_address_id) REFERENCES order_shippingaddress;
ALTER TABLE order_order ADD FOREIGN KEY (site_id) REFERENCES django_site;
ALTER TABLE order_order ADD FOREIGN KEY (user_id) REFERENCES auth_user;
ALTER TABLE order_order ADD FOREIGN KEY (basket_id) REFERENCES basket_basket;
ALTER TABLE order_order ADD FOREIGN KEY (billing_address_id) REFERENCES order_billingaddress;
ALTER TABLE order_line ADD FOREIGN KEY (order_id) REFERENCES order_order;
ALTER TABLE order_line ADD FOREIGN KEY (partner_id) REFERENCES partner_partner;
ALTER TABLE order_line ADD FOREIGN KEY (product_id) REFERENCES catalogue_product;
ALTER TABLE order_line ADD FOREIGN KEY (stockrecord_id) REFERENCES partner_stockrecord;
ALTER TABLE order_lineattribute ADD FOREIGN KEY (line_id) REFERENCES order_line;
ALTER TABLE order_lineprice ADD FOREIGN KEY (order_id) REFERENCES order_order;
ALTER TABLE order_lineprice ADD FOREIGN KEY (line_id) REFERENCES order_line;
ALTER TABLE order_billingaddress ADD FOREIGN KEY (country_id) REFERENCES address_country;
ALTER TABLE order_shippingaddress ADD FOREIGN KEY (country_id) REFERENCES address_country;
ALTER TABLE order_communicationevent ADD FOREIGN KEY (order_id) REFERENCES order_order;
ALTER TABLE order_orderdiscount ADD FOREIGN KEY (order_id) REFERENCES order_order;
ALTER TABLE order_orderlinediscount ADD FOREIGN KEY (line_id) REFERENCES order_line;
ALTER TABLE order_orderlinediscount ADD FOREIGN KEY (order_discount_id) REFERENCES order_orderdiscount;
ALTER TABLE order_ordernote ADD FOREIGN KEY (order_id) REFERENCES order_order;
ALTER TABLE order_ordernote ADD FOREIGN KEY (user_id) REFERENCES auth_user;
ALTER TABLE order_orderstatuschange ADD FOREIGN KEY (order_id) REFERENCES order_order;
ALTER TABLE order_surcharge ADD FOREIGN KEY (order_id) REFERENCES order_order;
ALTER TABLE order_paymentevent ADD FOREIGN KEY (event_type_id) REFERENCES order_paymenteventtype;
ALTER TABLE order_paymentevent ADD FOREIGN KEY (order_id) REFERENCES order_order;
ALTER TABLE order_paymentevent ADD FOREIGN KEY (shipping_event_id) REFERENCES order_shippingevent;
ALTER TABLE order_paymenteventquantity ADD FOREIGN KEY (event_id) REFERENCES order_paymentevent;
ALTER TABLE order_paymenteventquantity ADD FOREIGN KEY (line_id) REFERENCES order_line;
ALTER TABLE order_shippingevent ADD FOREIGN KEY (event_type_id) REFERENCES order_shippingeventtype;
ALTER TABLE order_shippingevent ADD FOREIGN KEY (order_id) REFERENCES order_order;
ALTER TABLE order_shippingeventquantity ADD FOREIGN KEY (event_id) REFERENCES order_shippingevent;
ALTER TABLE order_shippingeventquantity ADD FOREIGN KEY (line_id) REFERENCES order_line;
ALTER TABLE partner_stockrecord ADD FOREIGN KEY (partner_id) REFERENCES partner_partner;
ALTER TABLE partner_stockrecord ADD FOREIGN KEY (product_id) REFERENCES catalogue_product;
ALTER TABLE payment_source ADD FOREIGN KEY (source_type_id) REFERENCES payment_sourcetype;
ALTER TABLE payment_source ADD FOREIGN KEY (order_id) REFERENCES order_order;
ALTER TABLE payment_transaction ADD FOREIGN KEY (source_id) REFERENCES payment_source;
ALTER TABLE voucher_voucherapplication ADD FOREIGN KEY (order_id) REFERENCES order_order;
ALTER TABLE voucher_voucherapplication ADD FOREIGN KEY (user_id) REFERENCES auth_user;
ALTER TABLE analytics_userrecord ADD FOREIGN KEY (user_id) REFERENCES auth_user;
ALTER TABLE wishlists_line ADD FOREIGN KEY (product_id) REFERENCES catalogue_product;
