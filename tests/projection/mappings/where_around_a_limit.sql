SELECT o.id, x.kind, x.qty FROM shop.orders o LEFT JOIN LATERAL (
    SELECT l.kind, l.qty, l.deleted_at FROM shop.line l WHERE l.order_id = o.id AND l.active ORDER BY l.qty, l.id LIMIT 1
) x ON x.kind = 'gift' AND x.deleted_at IS NULL
-- key shop.orders(id)
-- o: key id
-- l: column order_id if active
