SELECT o.id, NOT EXISTS (SELECT FROM shop.blocked b WHERE b.address_id = o.ship_id) AS free FROM shop.aorder o
WHERE NOT EXISTS (SELECT FROM shop.aline l WHERE l.order_id = o.id)
-- key shop.aorder(id)
-- l: column order_id
-- o: key id
-- b: reverse address_id via shop.aorder
