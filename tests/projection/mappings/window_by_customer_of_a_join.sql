SELECT o.id, c.name, count(*) OVER (PARTITION BY c.id) AS n FROM shop.orders o JOIN shop.customer c ON c.id = o.customer_id
-- key shop.orders(id)
-- restricted 1
-- o: key id
-- c: reverse id via shop.orders
-- o: reverse customer_id via shop.customer, shop.orders
