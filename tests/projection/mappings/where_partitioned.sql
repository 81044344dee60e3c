SELECT o.id, e.at FROM shop.orders o LEFT JOIN shop.event e ON e.order_id = o.id AND e.kind = 'a' AND e.at = 3
-- key shop.orders(id)
-- o: key id
-- e: column order_id if at = 3 AND kind = 'a'
