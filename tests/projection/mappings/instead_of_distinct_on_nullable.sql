SELECT DISTINCT ON (o.customer_id) o.id FROM shop.orders o WHERE o.customer_id IS NOT NULL ORDER BY o.customer_id, o.id
-- key shop.orders(id)
-- o: key id
-- o: reverse customer_id via shop.orders
