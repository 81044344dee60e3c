-- A deleted line counts in the numbering of the others.
SELECT o.id, x.n, x.line FROM shop.orders o JOIN (
    SELECT l.order_id, l.id AS line, l.deleted_at, l.kind, row_number() OVER (PARTITION BY l.order_id ORDER BY l.qty, l.id) AS n FROM shop.line l
) x ON x.order_id = o.id WHERE x.deleted_at IS NULL AND x.kind = 'gift'
-- key shop.orders(id)
-- o: key id
-- l: column order_id
