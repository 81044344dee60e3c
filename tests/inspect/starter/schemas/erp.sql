-- Like an ERP with modules as prefixes: parties, sales with lines, units of measure, templates and variants.
CREATE TABLE party_party (id integer PRIMARY KEY, code varchar, name varchar, active boolean);
CREATE TABLE party_contact_mechanism (id integer PRIMARY KEY, party integer REFERENCES party_party, type varchar, value varchar);
CREATE TABLE country_country (id integer PRIMARY KEY, code varchar(2), code3 varchar(3), name varchar);
CREATE TABLE country_subdivision (id integer PRIMARY KEY, code varchar, name varchar, country integer REFERENCES country_country);
CREATE TABLE party_address (
    id integer PRIMARY KEY, party integer REFERENCES party_party, street varchar, city varchar, postal_code varchar,
    country integer REFERENCES country_country, subdivision integer REFERENCES country_subdivision
);
CREATE TABLE currency_currency (id integer PRIMARY KEY, code varchar(3) NOT NULL, name varchar);
CREATE TABLE product_template (id integer PRIMARY KEY, name varchar, code varchar);
CREATE TABLE product_product (id integer PRIMARY KEY, code varchar, template integer REFERENCES product_template);
CREATE TABLE sale_sale (
    id integer PRIMARY KEY, number varchar, reference varchar, state varchar, sale_date date, party integer REFERENCES party_party,
    invoice_address integer REFERENCES party_address, shipment_address integer REFERENCES party_address,
    currency integer REFERENCES currency_currency, create_date timestamp, write_date timestamp, shipping_date date
);
CREATE TABLE sale_line (
    id integer PRIMARY KEY, sale integer REFERENCES sale_sale, sequence integer, type varchar, product integer REFERENCES product_product,
    quantity double precision, unit integer, unit_price numeric, description text
);
CREATE TABLE purchase_purchase (id integer PRIMARY KEY, party integer REFERENCES party_party, purchase_date date);
CREATE TABLE stock_shipment_out (id integer PRIMARY KEY, customer integer REFERENCES party_party, effective_date date, state varchar);
CREATE TABLE stock_move (
    id integer PRIMARY KEY, shipment integer REFERENCES stock_shipment_out, product integer REFERENCES product_product,
    quantity double precision, sale_line integer REFERENCES sale_line
);
