SELECT o.id, l.kind FROM shop.orders o LEFT JOIN shop.whole_line l ON l.order_id = o.id AND l.deleted_at IS NULL AND l.kind IN ('a', 'x')
-- key shop.orders(id)
-- o: key id
-- l: column order_id if kind IN ('a', 'x') AND deleted_at IS NULL
