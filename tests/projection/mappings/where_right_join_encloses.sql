-- What an inner join says holds where its rows are there.
SELECT o.id, l.qty, p.name FROM shop.line l JOIN shop.promotion p ON p.id = l.product_id AND p.deleted_at IS NULL AND l.kind = 'gift'
RIGHT JOIN shop.orders o ON l.order_id = o.id
-- key shop.orders(id)
-- o: key id
-- l: column order_id if kind = 'gift'
-- p: reverse id if deleted_at IS NULL via shop.line (kind = 'gift')
