SELECT o.id, l.qty, p.name, a.amount, b.amount AS other FROM shop.orders o
JOIN shop.line l ON l.order_id = o.id AND l.deleted_at IS NULL
LEFT JOIN shop.adjustment a ON a.source_id = l.id AND a.source_type = 'a'
LEFT JOIN shop.adjustment b ON b.source_id = o.id AND b.source_type = 'b'
LEFT JOIN shop.promotion p ON p.id = l.product_id AND p.id = a.order_id AND a.source_type = 'a' AND p.kind = 'x'
-- key shop.orders(id)
-- o: key id
-- a: reverse source_id if source_type = 'a' via shop.line (deleted_at IS NULL)
-- b: column source_id if source_type = 'b'
-- l: column order_id if deleted_at IS NULL
-- p: reverse id if kind = 'x' via shop.line (deleted_at IS NULL)
