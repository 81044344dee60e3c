-- uuid keys, minor units, enums and domains, several schemas.
CREATE SCHEMA commerce; CREATE SCHEMA crm;
CREATE DOMAIN commerce.minor_units AS bigint CHECK (VALUE >= 0);
CREATE DOMAIN crm.email AS text CHECK (VALUE ~ '@');
CREATE DOMAIN commerce.iso_currency AS char(3);
CREATE TYPE commerce.order_state AS ENUM ('draft','placed','shipped','cancelled','refunded');
CREATE TYPE commerce.currency AS ENUM ('USD','EUR','GBP');
CREATE TABLE crm.contact (id uuid PRIMARY KEY DEFAULT gen_random_uuid(), email crm.email NOT NULL, given_name text, family_name text, phone text);
CREATE TABLE commerce.postal_address (id uuid PRIMARY KEY DEFAULT gen_random_uuid(), line1 text NOT NULL, line2 text, locality text, region text, postal_code text, country char(2));
CREATE TABLE commerce.purchase (id uuid PRIMARY KEY DEFAULT gen_random_uuid(), public_ref text UNIQUE NOT NULL, buyer_id uuid NOT NULL REFERENCES crm.contact, ship_to_id uuid REFERENCES commerce.postal_address, bill_to_id uuid REFERENCES commerce.postal_address, state commerce.order_state NOT NULL, currency commerce.currency NOT NULL, shipping_minor commerce.minor_units, total_minor commerce.minor_units, placed_at timestamptz, updated_at timestamptz NOT NULL DEFAULT now());
CREATE TABLE commerce.product (id uuid PRIMARY KEY DEFAULT gen_random_uuid(), name text NOT NULL, sku text NOT NULL);
CREATE TABLE commerce.purchase_line (id uuid PRIMARY KEY DEFAULT gen_random_uuid(), purchase_id uuid NOT NULL REFERENCES commerce.purchase, product_id uuid REFERENCES commerce.product, quantity int NOT NULL, unit_price_minor commerce.minor_units NOT NULL, discount_minor commerce.minor_units);
CREATE TABLE commerce.shipment (id uuid PRIMARY KEY DEFAULT gen_random_uuid(), purchase_id uuid NOT NULL REFERENCES commerce.purchase, shipped_at timestamptz, delivered_at timestamptz, tracking_number text, carrier text);
CREATE TABLE commerce.shipment_line (shipment_id uuid REFERENCES commerce.shipment, purchase_line_id uuid REFERENCES commerce.purchase_line, quantity int NOT NULL, PRIMARY KEY (shipment_id, purchase_line_id));
