SELECT o.id, e.kind FROM shop.orders o LEFT JOIN shop.event_ref e ON o.id::text = e.order_ref
-- key shop.orders(id)
-- o: key id
-- e: reverse order_ref via shop.orders
