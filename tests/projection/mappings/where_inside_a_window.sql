SELECT o.id, x.n, x.line FROM shop.orders o JOIN (
    SELECT l.order_id, l.id AS line, row_number() OVER (PARTITION BY l.order_id, l.kind ORDER BY l.qty, l.id) AS n, l.kind
    FROM shop.line l WHERE l.deleted_at IS NULL
) x ON x.order_id = o.id WHERE x.kind = 'gift' AND x.n < 3
-- key shop.orders(id)
-- o: key id
-- l: column order_id if kind = 'gift' AND deleted_at IS NULL
