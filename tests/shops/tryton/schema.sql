-- Tryton 6: references to records of several models are a text, `sale.line,7`; goods leave the house as stock moves. The addresses of a
-- sale and the product of a line have no index.
CREATE TABLE country_country (id serial PRIMARY KEY, code varchar(2), name varchar NOT NULL);

CREATE TABLE country_subdivision (id serial PRIMARY KEY, code varchar NOT NULL, name varchar NOT NULL, country integer NOT NULL REFERENCES country_country);

CREATE TABLE currency_currency (id serial PRIMARY KEY, code varchar(3) NOT NULL, digits integer NOT NULL);

CREATE TABLE party_party (id serial PRIMARY KEY, name varchar, code varchar NOT NULL, active boolean);

CREATE TABLE party_contact_mechanism (
    id serial PRIMARY KEY, party integer NOT NULL REFERENCES party_party ON DELETE CASCADE, type varchar NOT NULL, value varchar,
    sequence integer, active boolean
);
CREATE INDEX party_contact_mechanism_party_index ON party_contact_mechanism (party);

CREATE TABLE party_address (
    id serial PRIMARY KEY, party integer NOT NULL REFERENCES party_party ON DELETE CASCADE, party_name varchar, street text, city varchar,
    postal_code varchar, country integer REFERENCES country_country, subdivision integer REFERENCES country_subdivision, active boolean
);
CREATE INDEX party_address_party_index ON party_address (party);

CREATE TABLE sale_sale (
    id serial PRIMARY KEY, create_date timestamp(6), number varchar, reference varchar, sale_date date, state varchar NOT NULL,
    party integer NOT NULL REFERENCES party_party, shipment_address integer REFERENCES party_address,
    invoice_address integer REFERENCES party_address, currency integer NOT NULL REFERENCES currency_currency, origin varchar
);
CREATE INDEX sale_sale_create_date_index ON sale_sale (create_date);
CREATE INDEX sale_sale_number_index ON sale_sale (number);
CREATE INDEX sale_sale_party_index ON sale_sale (party);
CREATE INDEX sale_sale_origin_index ON sale_sale (origin);

CREATE TABLE product_template (id serial PRIMARY KEY, name varchar NOT NULL, code varchar, active boolean);

CREATE TABLE product_product (
    id serial PRIMARY KEY, code varchar, template integer NOT NULL REFERENCES product_template ON DELETE CASCADE, active boolean
);
CREATE INDEX product_product_template_index ON product_product (template);

CREATE TABLE sale_line (
    id serial PRIMARY KEY, sale integer NOT NULL REFERENCES sale_sale ON DELETE CASCADE, type varchar NOT NULL, sequence integer,
    quantity double precision, unit_price numeric, product integer REFERENCES product_product, description text,
    shipment_cost numeric
);
CREATE INDEX sale_line_sale_index ON sale_line (sale);
CREATE INDEX sale_line_type_index ON sale_line (type);

CREATE TABLE stock_shipment_out (
    id serial PRIMARY KEY, number varchar, state varchar NOT NULL, effective_date date, tracking_number varchar
);

CREATE TABLE stock_move (
    id serial PRIMARY KEY, origin varchar, shipment varchar, product integer NOT NULL REFERENCES product_product, quantity double precision NOT NULL,
    state varchar, effective_date date
);
CREATE INDEX stock_move_origin_index ON stock_move (origin);
CREATE INDEX stock_move_shipment_index ON stock_move (shipment);
CREATE INDEX stock_move_product_index ON stock_move (product);
CREATE INDEX stock_move_state_index ON stock_move (state);
