SELECT o.id, l.id AS line, m.id AS other, n.id AS third FROM shop.orders o
LEFT JOIN shop.line l ON l.order_id = o.id AND l.active
LEFT JOIN shop.line m ON m.order_id = o.id AND NOT m.active
LEFT JOIN shop.line n ON n.order_id = o.id AND n.active IS NOT TRUE AND n.qty = 1
-- key shop.orders(id)
-- o: key id
-- l: column order_id if active
-- m: column order_id if NOT active
-- n: column order_id if qty = 1
