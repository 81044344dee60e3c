SELECT o.id, l.id AS line FROM shop.aorder o LEFT JOIN shop.aline l ON coalesce(l.origin_id, l.order_id) = coalesce(o.ship_id, o.id)
-- key shop.aorder(id)
-- l: reverse origin_id via shop.aorder
-- l: column origin_id
-- l: reverse order_id via shop.aorder
-- l: column order_id
-- o: key id
