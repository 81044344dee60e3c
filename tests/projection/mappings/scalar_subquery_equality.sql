SELECT o.id, o.status FROM shop.orders o
WHERE o.customer_id = (SELECT c.id FROM shop.customer c WHERE c.id = o.customer_id AND c.name <> 'x')
-- key shop.orders(id)
-- o: key id
-- c: reverse id via shop.orders
