SELECT o.id, rank() OVER (PARTITION BY o.customer_id ORDER BY o.placed, o.id) AS nth
FROM shop.orders o WHERE o.customer_id IS NOT NULL AND o.status <> 'x'
-- key shop.orders(id)
-- restricted 2
-- o: key id
-- o: reverse customer_id via shop.orders
