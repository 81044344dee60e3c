-- Vendure 3: addresses, discounts and taxes of an order are JSON in text columns, coupons a text with commas; amounts are minor units.
CREATE TABLE customer (
    "createdAt" timestamp NOT NULL DEFAULT now(), "deletedAt" timestamp, title varchar, "firstName" varchar NOT NULL,
    "lastName" varchar NOT NULL, "phoneNumber" varchar, "emailAddress" varchar NOT NULL, id serial PRIMARY KEY
);

CREATE TABLE "order" (
    type varchar NOT NULL DEFAULT 'Regular', code varchar NOT NULL, state varchar NOT NULL, active boolean NOT NULL DEFAULT true,
    "orderPlacedAt" timestamp, "couponCodes" text NOT NULL, "shippingAddress" text NOT NULL, "billingAddress" text NOT NULL,
    "currencyCode" varchar NOT NULL, id serial PRIMARY KEY, "aggregateOrderId" integer REFERENCES "order",
    "customerId" integer REFERENCES customer
);
CREATE UNIQUE INDEX "IDX_729b3eea7ce540930dbb706949" ON "order" (code);
CREATE INDEX "IDX_124456e637cca7a415897dce65" ON "order" ("customerId");
CREATE INDEX "IDX_73a78d7df09541ac5eba620d18" ON "order" ("aggregateOrderId");

CREATE TABLE product_variant (
    "deletedAt" timestamp, enabled boolean NOT NULL DEFAULT true, sku varchar NOT NULL, id serial PRIMARY KEY, "productId" integer
);
CREATE INDEX "IDX_6e420052844edf3a5506d863ce" ON product_variant ("productId");

CREATE TABLE product_variant_translation (
    "languageCode" varchar NOT NULL, name varchar NOT NULL, id serial PRIMARY KEY,
    "baseId" integer REFERENCES product_variant ON DELETE CASCADE
);
CREATE INDEX "IDX_420f4d6fb75d38b9dca79bc43b" ON product_variant_translation ("baseId");

CREATE TABLE shipping_method (code varchar NOT NULL, "deletedAt" timestamp, id serial PRIMARY KEY);

CREATE TABLE shipping_method_translation (
    "languageCode" varchar NOT NULL, name varchar NOT NULL DEFAULT '', id serial PRIMARY KEY,
    "baseId" integer REFERENCES shipping_method ON DELETE CASCADE
);
CREATE INDEX "IDX_85ec26c71067ebc84adcd98d1a" ON shipping_method_translation ("baseId");

CREATE TABLE shipping_line (
    "listPrice" integer NOT NULL, "listPriceIncludesTax" boolean NOT NULL, adjustments text NOT NULL, "taxLines" text NOT NULL,
    id serial PRIMARY KEY, "shippingMethodId" integer NOT NULL REFERENCES shipping_method,
    "orderId" integer REFERENCES "order" ON DELETE CASCADE
);
CREATE INDEX "IDX_e2e7642e1e88167c1dfc827fdf" ON shipping_line ("shippingMethodId");
CREATE INDEX "IDX_c9f34a440d490d1b66f6829b86" ON shipping_line ("orderId");

CREATE TABLE order_line (
    quantity integer NOT NULL, "orderPlacedQuantity" integer NOT NULL DEFAULT 0, "listPrice" integer NOT NULL,
    "listPriceIncludesTax" boolean NOT NULL, adjustments text NOT NULL, "taxLines" text NOT NULL, id serial PRIMARY KEY,
    "productVariantId" integer NOT NULL REFERENCES product_variant, "orderId" integer REFERENCES "order" ON DELETE CASCADE
);
CREATE INDEX "IDX_cbcd22193eda94668e84d33f18" ON order_line ("productVariantId");
CREATE INDEX "IDX_239cfca2a55b98b90b6bef2e44" ON order_line ("orderId");

CREATE TABLE fulfillment (
    "createdAt" timestamp NOT NULL DEFAULT now(), state varchar NOT NULL, "trackingCode" varchar NOT NULL DEFAULT '',
    method varchar NOT NULL, id serial PRIMARY KEY
);

CREATE TABLE order_fulfillments_fulfillment (
    "orderId" integer NOT NULL REFERENCES "order" ON UPDATE CASCADE ON DELETE CASCADE,
    "fulfillmentId" integer NOT NULL REFERENCES fulfillment ON UPDATE CASCADE ON DELETE CASCADE, PRIMARY KEY ("orderId", "fulfillmentId")
);
CREATE INDEX "IDX_f80d84d525af2ffe974e7e8ca2" ON order_fulfillments_fulfillment ("orderId");
CREATE INDEX "IDX_4add5a5796e1582dec2877b289" ON order_fulfillments_fulfillment ("fulfillmentId");

-- One table for what fulfillments, refunds and modifications say of a line.
CREATE TABLE order_line_reference (
    quantity integer NOT NULL, id serial PRIMARY KEY, "fulfillmentId" integer REFERENCES fulfillment, "modificationId" integer,
    "orderLineId" integer NOT NULL REFERENCES order_line ON DELETE CASCADE, "refundId" integer, discriminator varchar NOT NULL
);
CREATE INDEX "IDX_7d57857922dfc7303604697dbe" ON order_line_reference ("orderLineId");
CREATE INDEX "IDX_06b02fb482b188823e419d37bd" ON order_line_reference ("fulfillmentId");
CREATE INDEX "IDX_30019aa65b17fe9ee962893199" ON order_line_reference ("refundId");
CREATE INDEX "IDX_49a8632be8cef48b076446b8b9" ON order_line_reference (discriminator);

CREATE TABLE surcharge (
    description varchar NOT NULL, "listPrice" integer NOT NULL, sku varchar NOT NULL, id serial PRIMARY KEY,
    "orderId" integer REFERENCES "order" ON DELETE CASCADE
);
CREATE INDEX "IDX_154eb685f9b629033bd266df7f" ON surcharge ("orderId");

CREATE TABLE promotion ("deletedAt" timestamp, "couponCode" varchar, enabled boolean NOT NULL, id serial PRIMARY KEY);

CREATE TABLE promotion_translation (
    "languageCode" varchar NOT NULL, name varchar NOT NULL, id serial PRIMARY KEY, "baseId" integer REFERENCES promotion ON DELETE CASCADE
);
CREATE INDEX "IDX_1cc009e9ab2263a35544064561" ON promotion_translation ("baseId");

CREATE TABLE order_promotions_promotion (
    "orderId" integer NOT NULL REFERENCES "order" ON UPDATE CASCADE ON DELETE CASCADE,
    "promotionId" integer NOT NULL REFERENCES promotion ON UPDATE CASCADE ON DELETE CASCADE, PRIMARY KEY ("orderId", "promotionId")
);
CREATE INDEX "IDX_67be0e40122ab30a62a9817efe" ON order_promotions_promotion ("orderId");
CREATE INDEX "IDX_2c26b988769c0e3b0120bdef31" ON order_promotions_promotion ("promotionId");
