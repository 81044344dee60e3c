WITH RECURSIVE walk (order_id, line, kind) AS (
    SELECT t.order_id, t.line, t.kind FROM shop.typed_line t WHERE t.note IS NULL
    UNION SELECT w.order_id, l.qty, w.kind FROM walk w JOIN shop.line l ON l.order_id = w.order_id AND l.id = w.line AND l.deleted_at IS NULL
)
SELECT o.id, (SELECT array_agg(w.line ORDER BY w.line) FROM walk w WHERE w.order_id = o.id AND w.kind = 'a') AS lines FROM shop.orders o
-- key shop.orders(id)
-- o: key id
-- l: column order_id if deleted_at IS NULL
-- t: column order_id if kind = 'a' AND note IS NULL
