SELECT o.id, l.qty FROM shop.line l RIGHT JOIN shop.orders o ON l.order_id = o.id AND l.deleted_at IS NULL AND o.status = 'a'
-- key shop.orders(id)
-- o: key id
-- l: column order_id if deleted_at IS NULL
