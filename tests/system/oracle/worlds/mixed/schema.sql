-- Two schemas with names that need quotes, uuid, text and composite keys, children that only have a uuid of their own.
CREATE SCHEMA "Sales";
CREATE SCHEMA "Master data";
CREATE TABLE "Master data"."Brand" ("brandCode" char(4) PRIMARY KEY, "Name" varchar(40));
CREATE TABLE "Master data"."Item" (
    sku text PRIMARY KEY, "Title" varchar(40), "brandCode" char(4) REFERENCES "Master data"."Brand" ON UPDATE CASCADE,
    "shelf no" text
);
CREATE TABLE "Master data"."Customer" (id uuid PRIMARY KEY, "fullName" text NOT NULL, "select" text);
CREATE TABLE "Sales"."Order" (
    region text, "No" uuid, "customerId" uuid REFERENCES "Master data"."Customer", "placedAt" timestamptz NOT NULL,
    "shipFee" numeric(10, 2) NOT NULL DEFAULT 0, "user" text, PRIMARY KEY (region, "No")
);
CREATE INDEX ON "Sales"."Order" ("customerId");
CREATE TABLE "Sales"."Order Line" (
    "lineId" uuid PRIMARY KEY, region text NOT NULL, "orderNo" uuid NOT NULL, sku text REFERENCES "Master data"."Item",
    "Qty" integer NOT NULL CHECK ("Qty" > 0), price numeric(12, 4) NOT NULL, "pickNote" text,
    FOREIGN KEY (region, "orderNo") REFERENCES "Sales"."Order" ON DELETE CASCADE ON UPDATE CASCADE
);
CREATE INDEX ON "Sales"."Order Line" (region, "orderNo");
CREATE INDEX ON "Sales"."Order Line" (sku);
CREATE TABLE "Sales"."Note" (
    region text, "orderNo" uuid, seq integer, "Body" text, PRIMARY KEY (region, "orderNo", seq),
    FOREIGN KEY (region, "orderNo") REFERENCES "Sales"."Order" ON DELETE CASCADE
);
CREATE TABLE "Sales"."Discount" (
    id uuid PRIMARY KEY, "lineId" uuid REFERENCES "Sales"."Order Line" ON DELETE SET NULL, amount numeric(12, 4) NOT NULL
);
CREATE INDEX ON "Sales"."Discount" ("lineId");
