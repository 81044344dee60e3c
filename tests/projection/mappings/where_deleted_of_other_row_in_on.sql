-- Whether a line is deleted says which payment is joined, and nothing about the line itself.
SELECT o.id, l.qty, a.amount FROM shop.orders o
LEFT JOIN shop.line l ON l.order_id = o.id
LEFT JOIN shop.adjustment a ON a.order_id = o.id AND l.deleted_at IS NULL
WHERE a.amount > 1
-- key shop.orders(id)
-- o: key id
-- a: column order_id
-- l: column order_id
