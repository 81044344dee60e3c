SELECT o.id FROM shop.aorder o
WHERE o.id NOT IN (SELECT l.order_id FROM shop.aline l JOIN shop.blocked b ON b.address_id = l.origin_id WHERE l.order_id IS NOT NULL)
-- key shop.aorder(id)
-- l: column order_id
-- o: key id
-- b: reverse address_id via shop.aline
