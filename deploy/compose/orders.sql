-- A hundred orders of two lines for the rehearsal's OMS; change some and see them arrive:
--   docker compose exec oms psql -U postgres shop -c "UPDATE oms.order_item SET qty = 3 WHERE ord_id = 7 AND line_no = 1"
INSERT INTO oms.product (product_id, sku, prod_nm, vendor_cd, list_price)
VALUES (1, 'MUG-BLUE', 'Blue mug', 'house', 12.50), (2, 'CUP-RED', 'Red cup', 'house', 8.00);
INSERT INTO oms.customer (email_addr, first_nm, last_nm)
SELECT 'buyer' || n || '@shop.example', 'Ada', 'Byron' FROM generate_series(1, 20) AS n;
INSERT INTO oms.cust_address (cust_id, street_1, city, state_cd, zip_cd)
SELECT cust_id, cust_id || ' Main St', 'Provo', 'UT', '84601' FROM oms.customer ORDER BY cust_id;
INSERT INTO oms.order_header (ord_no, cust_id, ship_addr_id, currency, chan_cd, placed_ts, ship_meth_cd, ship_amt, line_ctr)
SELECT 'R-' || n, 1 + n % 20, 1 + n % 20, 'USD', 'WEB', timestamp '2026-01-05 10:00' + n * interval '1 hour', 'GR', 5, 2
FROM generate_series(1, 100) AS n;
INSERT INTO oms.order_item (ord_id, line_no, product_id, qty, unit_price)
SELECT o.ord_id, p.product_id, p.product_id, 1, p.list_price FROM oms.order_header AS o CROSS JOIN oms.product AS p;
INSERT INTO oms.payment (ord_id, gateway_cd, amt, pay_ts)
SELECT ord_id, 'bank', 25.50, placed_ts FROM oms.order_header ORDER BY ord_id;
ANALYZE;
