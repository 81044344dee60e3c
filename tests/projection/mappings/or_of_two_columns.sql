SELECT o.id, c.id AS customer FROM shop.orders o LEFT JOIN shop.customer c ON c.id = o.customer_id OR c.name = o.status
-- key shop.orders(id)
-- c: reverse id via shop.orders
-- c: reverse name via shop.orders
-- o: key id
