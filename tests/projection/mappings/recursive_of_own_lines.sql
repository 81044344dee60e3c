-- A walk within one order: the order's id is in every round, and in every join.
WITH RECURSIVE walk (order_id, line) AS (
    SELECT i.order_id, i.line FROM shop.item i WHERE i.qty = 1
    UNION
    SELECT w.order_id, j.line FROM walk w JOIN shop.item j ON j.order_id = w.order_id AND j.line = w.line + 1
)
SELECT o.id, (SELECT array_agg(line ORDER BY line) FROM walk WHERE walk.order_id = o.id) AS lines FROM shop.orders o
-- key shop.orders(id)
-- o: key id
-- i: column order_id if qty = 1
-- j: column order_id
