SELECT o.id, s.x FROM shop.orders o LEFT JOIN shop.scratch s ON s.order_id = o.id
-- sweep_tables shop.scratch
-- warning 1:47 shop.scratch is not logged
-- key shop.orders(id)
-- o: key id
