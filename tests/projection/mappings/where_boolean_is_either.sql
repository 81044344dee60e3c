SELECT o.id, l.id AS line, p.name FROM shop.orders o
JOIN shop.line l ON l.order_id = o.id AND l.active IN (true, false)
LEFT JOIN shop.product p ON p.id = l.product_id
-- key shop.orders(id)
-- o: key id
-- l: column order_id if active IS NOT NULL
-- p: reverse id via shop.line (active IS NOT NULL)
