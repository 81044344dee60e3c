-- The second reading is of other orders, so the CTE must not be restricted.
WITH sums AS (SELECT order_id, sum(qty) AS n FROM shop.item GROUP BY order_id)
SELECT o.id, a.n, (SELECT sum(s.n) FROM sums s JOIN shop.orders x ON x.id = s.order_id WHERE x.customer_id = o.customer_id) AS all_n
FROM shop.orders o LEFT JOIN sums a ON a.order_id = o.id
-- key shop.orders(id)
-- restricted 1
-- o: key id
-- item: column order_id
-- item: reverse order_id via shop.orders, shop.orders
-- x: reverse customer_id via shop.orders
