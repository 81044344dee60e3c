SELECT o.id FROM shop.orders o
WHERE (o.id, o.customer_id) IN (SELECT i.order_id, c.id FROM shop.item i JOIN shop.customer c ON c.id = i.product_id)
-- key shop.orders(id)
-- o: key id
-- i: column order_id
-- c: reverse id via shop.orders
