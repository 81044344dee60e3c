SELECT o.id, c.name, l.qty FROM shop.orders o JOIN shop.customer c ON c.id = o.customer_id
LEFT JOIN shop.line l ON l.order_id = o.id AND l.kind = 'goods' WHERE o.status = 'a' AND o.placed IS NOT NULL
-- key shop.orders(id)
-- o: key id if status = 'a' AND placed IS NOT NULL
-- c: reverse id via shop.orders (status = 'a' AND placed IS NOT NULL)
-- l: column order_id if kind = 'goods'
