SELECT o.id, o.status,
    (SELECT sum(a.amount) FROM shop.adjustment a WHERE a.source_type = 'a' AND a.source_id = o.id) AS ours,
    (SELECT sum(a.amount) FROM shop.line l JOIN shop.adjustment a ON a.source_type = 'b' AND a.source_id = l.id
     WHERE l.order_id = o.id AND l.deleted_at IS NULL) AS lines
FROM shop.orders o
-- key shop.orders(id)
-- o: key id
-- a: column source_id if source_type = 'a'
-- a: reverse source_id if source_type = 'b' via shop.line (deleted_at IS NULL)
-- l: column order_id if deleted_at IS NULL
