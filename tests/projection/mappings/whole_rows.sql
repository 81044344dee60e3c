SELECT o.*, to_jsonb(c) AS customer FROM shop.orders o LEFT JOIN shop.customer c ON c.id = o.customer_id
-- key shop.orders(id)
-- o: key id
-- c: reverse id via shop.orders
