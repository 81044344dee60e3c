SELECT o.id, x.kind, x.n FROM shop.orders o LEFT JOIN (
    SELECT l.order_id, l.kind, l.deleted_at, count(*) AS n FROM shop.line l GROUP BY l.order_id, l.kind, l.deleted_at
) x ON x.order_id = o.id AND x.kind = 'gift' AND x.deleted_at IS NULL
-- key shop.orders(id)
-- o: key id
-- l: column order_id if kind = 'gift' AND deleted_at IS NULL
