SELECT o.id, l.qty FROM shop.orders o LEFT JOIN shop.line l ON l.order_id = o.id AND l.deleted_at IS NULL
-- key shop.orders(id)
-- o: key id
-- l: column order_id if deleted_at IS NULL
