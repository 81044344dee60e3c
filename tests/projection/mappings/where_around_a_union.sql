SELECT o.id, x.n, p.name FROM shop.orders o JOIN (
    SELECT l.order_id, l.qty AS n, l.product_id, l.deleted_at FROM shop.line l WHERE l.kind = 'gift'
    UNION ALL SELECT t.order_id, t.qty, t.line, NULL FROM shop.typed_line t WHERE t.kind = 'a'
) x ON x.order_id = o.id AND x.deleted_at IS NULL AND x.n = 1
LEFT JOIN shop.promotion p ON p.id = x.product_id AND p.deleted_at IS NULL
-- key shop.orders(id)
-- o: key id
-- l: column order_id if kind = 'gift' AND qty = 1 AND deleted_at IS NULL
-- p: reverse id if deleted_at IS NULL via shop.line (kind = 'gift' AND qty = 1 AND deleted_at IS NULL)
-- p: reverse id if deleted_at IS NULL via shop.typed_line (kind = 'a' AND qty = 1)
-- t: column order_id if kind = 'a' AND qty = 1
