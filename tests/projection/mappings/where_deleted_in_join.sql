SELECT o.id, l.qty, p.name FROM shop.orders o
JOIN shop.line l ON l.order_id = o.id
LEFT JOIN shop.promotion p ON p.id = l.product_id AND p.deleted_at IS NULL
WHERE l.deleted_at IS NULL
-- key shop.orders(id)
-- o: key id
-- l: column order_id if deleted_at IS NULL
-- p: reverse id if deleted_at IS NULL via shop.line (deleted_at IS NULL)
