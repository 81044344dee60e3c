SELECT o.id, x.kind, x.qty FROM shop.orders o JOIN (
    SELECT DISTINCT ON (l.order_id, l.kind) l.order_id, l.kind, l.qty, l.deleted_at FROM shop.line l ORDER BY l.order_id, l.kind, l.qty, l.id
) x ON x.order_id = o.id AND x.kind = 'gift' AND x.deleted_at IS NULL
-- key shop.orders(id)
-- o: key id
-- l: column order_id if kind = 'gift'
