-- What is asked of the joined row in an arm of ON holds for the row, as if it stood beside the OR.
SELECT o.id, l.qty, p.name FROM shop.aorder o
LEFT JOIN shop.line l ON (l.order_id = o.id AND l.deleted_at IS NULL) OR (l.product_id = o.id AND l.kind = 'gift')
LEFT JOIN shop.promotion p ON p.id = l.qty
-- key shop.aorder(id)
-- o: key id
-- l: column order_id if deleted_at IS NULL
-- l: column product_id if kind = 'gift'
-- p: reverse id via shop.line (deleted_at IS NULL)
-- p: reverse id via shop.line (kind = 'gift')
