-- order_key: shop.orders(id)
SELECT o.id || coalesce(c.region, '') AS id, c.name FROM shop.orders o LEFT JOIN shop.customer c ON c.id = o.customer_id
-- id none
-- key shop.orders(id)
-- o: key id
-- c: reverse id via shop.orders
