WITH sums AS (SELECT order_id, sum(qty) AS n FROM shop.item GROUP BY order_id)
SELECT o.id, a.n, b.n AS again
FROM shop.orders o LEFT JOIN sums a ON a.order_id = o.id LEFT JOIN sums b ON b.order_id = o.id
-- key shop.orders(id)
-- restricted 2
-- o: key id
-- item: column order_id
