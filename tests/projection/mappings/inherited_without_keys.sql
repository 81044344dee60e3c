SELECT o.id, s.x FROM shop.orders o JOIN shop.parent s ON s.order_id = o.id
-- key shop.orders(id)
-- o: key id
-- s: column order_id
-- s: column order_id
