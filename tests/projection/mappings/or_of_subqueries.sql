SELECT o.id FROM shop.aorder o
WHERE o.kind = 'a' OR o.ship_id IN (SELECT b.address_id FROM shop.blocked b) OR EXISTS (SELECT FROM shop.aline l WHERE l.order_id = o.id)
-- key shop.aorder(id)
-- l: column order_id
-- o: key id
-- b: reverse address_id via shop.aorder
