SELECT o.id, l.id AS line, m.id AS other, n.id AS third FROM shop.orders o
LEFT JOIN shop.line l ON l.order_id = o.id AND l.kind IN ('goods', 'fee') AND l.qty IN (1, 2, NULL)
LEFT JOIN shop.line m ON m.order_id = o.id AND m.code = ANY (ARRAY['a', 'ab ']) AND m.ref = '{10000000000000000000000000000000}'
LEFT JOIN shop.line n ON (n.order_id, n.qty) = (o.id, 3) AND (n.kind = 'gift' OR n.deleted_at IS NULL)
-- key shop.orders(id)
-- o: key id
-- l: column order_id if kind IN ('goods', 'fee') AND qty IN (1, 2)
-- m: column order_id if code IN ('a', 'ab') AND ref = '10000000-0000-0000-0000-000000000000'
-- n: column order_id if qty = 3
