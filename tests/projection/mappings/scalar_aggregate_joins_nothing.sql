SELECT o.id, c.name FROM shop.orders o JOIN shop.customer c ON c.id = o.customer_id
WHERE o.total = (SELECT max(x.total) FROM shop.orders x WHERE x.customer_id = c.id)
-- key shop.orders(id)
-- o: key id
-- c: reverse id via shop.orders
-- x: reverse customer_id via shop.customer, shop.orders
