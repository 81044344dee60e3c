-- The order management system of a shop that opened in 2009 and never rewrote it.
--
-- Short names, one-letter flags, codes instead of words, local time stamps, a comma-separated list in a column, a
-- change time that only some programs keep. Every replica identity is the default one: nobody knew about decoding.

CREATE SCHEMA oms;

CREATE SEQUENCE oms.ord_seq;
CREATE SEQUENCE oms.cust_seq;
CREATE SEQUENCE oms.addr_seq;
CREATE SEQUENCE oms.shp_seq;
CREATE SEQUENCE oms.rfnd_seq;
CREATE SEQUENCE oms.pay_seq;

CREATE TABLE oms.customer (
    cust_id     bigint PRIMARY KEY DEFAULT nextval('oms.cust_seq'),
    email_addr  varchar(120) NOT NULL,
    first_nm    varchar(60) NOT NULL,
    last_nm     varchar(60) NOT NULL,
    phone_no    varchar(30),
    vip_flg     char(1) NOT NULL DEFAULT 'N',
    credit_note text                                  -- for the back office only
);

CREATE TABLE oms.cust_address (
    addr_id  bigint PRIMARY KEY DEFAULT nextval('oms.addr_seq'),
    cust_id  bigint NOT NULL REFERENCES oms.customer,
    street_1 varchar(120) NOT NULL,
    street_2 varchar(120),
    city     varchar(80) NOT NULL,
    state_cd varchar(3) NOT NULL,
    zip_cd   varchar(12) NOT NULL,
    ctry_cd  char(2) NOT NULL DEFAULT 'US'
);
CREATE INDEX cust_address_cust ON oms.cust_address (cust_id);

CREATE TABLE oms.product (
    product_id     integer PRIMARY KEY,
    sku            varchar(40) NOT NULL UNIQUE,
    prod_nm        varchar(120) NOT NULL,
    vendor_cd      varchar(40) NOT NULL,
    img_path       varchar(200),
    wt_kg          numeric(8, 3),
    list_price     numeric(10, 2) NOT NULL,
    final_sale_flg char(1) NOT NULL DEFAULT 'N',
    buyer_memo     text                               -- for the purchasing department only
);

CREATE TABLE oms.promo (
    promo_cd   varchar(20) PRIMARY KEY,
    promo_desc varchar(80) NOT NULL
);

CREATE TABLE oms.carrier (
    carrier_cd varchar(8) PRIMARY KEY,
    carrier_nm varchar(40) NOT NULL,
    track_url  varchar(120) NOT NULL                  -- the tracking number follows
);

CREATE TABLE oms.order_header (
    ord_id        bigint PRIMARY KEY DEFAULT nextval('oms.ord_seq'),
    ord_no        varchar(20) NOT NULL UNIQUE,
    cust_id       bigint NOT NULL REFERENCES oms.customer,
    ship_addr_id  bigint NOT NULL REFERENCES oms.cust_address,
    bill_addr_id  bigint REFERENCES oms.cust_address,
    currency      char(3) NOT NULL,
    chan_cd       varchar(8) NOT NULL,                -- WEB, PHONE, STORE
    status_cd     char(1) NOT NULL DEFAULT 'N',       -- New, Part shipped, Shipped, X cancelled
    placed_ts     timestamp NOT NULL,                 -- UTC, though nothing says so
    chg_ts        timestamp,                          -- kept by the web shop, not by the warehouse
    ship_meth_cd  char(2) NOT NULL,                   -- GR ground, EX express
    ship_amt      numeric(10, 2) NOT NULL DEFAULT 0,
    ship_tax_amt  numeric(10, 2) NOT NULL DEFAULT 0,
    cxl_ts        timestamp,
    cxl_rsn_cd    char(2),
    line_ctr      integer NOT NULL DEFAULT 0,         -- the last line number given, so that none is given twice
    tag_list      varchar(200),                       -- 'gift,rush'
    internal_note text
);
CREATE INDEX order_header_cust ON oms.order_header (cust_id);
CREATE INDEX order_header_ship_addr ON oms.order_header (ship_addr_id);
CREATE INDEX order_header_bill_addr ON oms.order_header (bill_addr_id);
CREATE INDEX order_header_status ON oms.order_header (status_cd, ord_id);

CREATE TABLE oms.order_item (
    ord_id     bigint NOT NULL REFERENCES oms.order_header,
    line_no    integer NOT NULL,
    product_id integer NOT NULL REFERENCES oms.product,
    qty        integer NOT NULL CHECK (qty > 0),
    unit_price numeric(10, 2) NOT NULL,
    disc_amt   numeric(10, 2) NOT NULL DEFAULT 0,     -- for all units
    disc_cd    varchar(20),
    tax_amt    numeric(10, 2) NOT NULL DEFAULT 0,     -- for all units
    tax_rate   numeric(6, 4),
    cover_cd   char(1),                               -- Redo coverage: Returns, Package protection, Both
    pick_bin   varchar(12),                           -- for the warehouse only
    PRIMARY KEY (ord_id, line_no)
);
CREATE INDEX order_item_product ON oms.order_item (product_id);

CREATE TABLE oms.order_promo (
    ord_id   bigint NOT NULL REFERENCES oms.order_header,
    promo_cd varchar(20) NOT NULL REFERENCES oms.promo,
    amt      numeric(10, 2) NOT NULL,
    PRIMARY KEY (ord_id, promo_cd)
);
CREATE INDEX order_promo_promo ON oms.order_promo (promo_cd);

CREATE TABLE oms.payment (
    pay_id     bigint PRIMARY KEY DEFAULT nextval('oms.pay_seq'),
    ord_id     bigint NOT NULL REFERENCES oms.order_header,
    gateway_cd varchar(20) NOT NULL,
    amt        numeric(10, 2) NOT NULL,
    pay_ts     timestamp NOT NULL,
    card_last4 char(4)
);
CREATE INDEX payment_ord ON oms.payment (ord_id);

CREATE TABLE oms.shipment (
    shipment_id bigint PRIMARY KEY DEFAULT nextval('oms.shp_seq'),
    ord_id      bigint NOT NULL REFERENCES oms.order_header,
    carrier_cd  varchar(8) NOT NULL REFERENCES oms.carrier,
    track_no    varchar(40),
    ship_ts     timestamp,                            -- NULL while it is being packed
    dlv_ts      timestamp,
    wave_no     integer                               -- for the warehouse only
);
CREATE INDEX shipment_ord ON oms.shipment (ord_id);
CREATE INDEX shipment_carrier ON oms.shipment (carrier_cd);
CREATE INDEX shipment_on_the_way ON oms.shipment (shipment_id) WHERE dlv_ts IS NULL;

CREATE TABLE oms.shipment_item (
    shipment_id bigint NOT NULL REFERENCES oms.shipment,
    ord_id      bigint NOT NULL,
    line_no     integer NOT NULL,
    qty         integer NOT NULL CHECK (qty > 0),
    PRIMARY KEY (shipment_id, ord_id, line_no),
    FOREIGN KEY (ord_id, line_no) REFERENCES oms.order_item
);
CREATE INDEX shipment_item_ord ON oms.shipment_item (ord_id, line_no);

CREATE TABLE oms.refund (
    refund_id bigint PRIMARY KEY DEFAULT nextval('oms.rfnd_seq'),
    ord_id    bigint NOT NULL REFERENCES oms.order_header,
    refund_ts timestamp NOT NULL,
    memo      varchar(200),
    ship_amt  numeric(10, 2) NOT NULL DEFAULT 0
);
CREATE INDEX refund_ord ON oms.refund (ord_id);

CREATE TABLE oms.refund_item (
    refund_id bigint NOT NULL REFERENCES oms.refund,
    ord_id    bigint NOT NULL,
    line_no   integer NOT NULL,
    qty       integer NOT NULL CHECK (qty > 0),
    amt       numeric(10, 2) NOT NULL,
    tax_amt   numeric(10, 2) NOT NULL DEFAULT 0,
    PRIMARY KEY (refund_id, ord_id, line_no),
    FOREIGN KEY (ord_id, line_no) REFERENCES oms.order_item
);
CREATE INDEX refund_item_ord ON oms.refund_item (ord_id, line_no);

-- Busy, and of no interest to Redo.

CREATE TABLE public.wh_stock (
    product_id integer PRIMARY KEY REFERENCES oms.product,
    on_hand    integer NOT NULL DEFAULT 0
);

CREATE TABLE oms.audit_log (
    log_id bigserial PRIMARY KEY,
    log_ts timestamp NOT NULL,
    who    varchar(20) NOT NULL,
    what   text NOT NULL
);
