SELECT o.id, l.qty, p.name FROM shop.line l
JOIN shop.promotion p ON (p.id = l.product_id AND l.deleted_at IS NULL) OR (p.id = l.qty AND l.kind = 'gift')
RIGHT JOIN shop.aorder o ON l.order_id = o.id AND p.deleted_at IS NULL
-- key shop.aorder(id)
-- o: key id
-- l: column order_id
-- p: reverse id if deleted_at IS NULL via shop.line (deleted_at IS NULL)
-- p: reverse id if deleted_at IS NULL via shop.line (kind = 'gift')
