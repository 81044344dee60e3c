SELECT o.id, a.city, b.id AS blocked
FROM shop.aorder o
LEFT JOIN shop.address a ON a.id = coalesce(o.ship_id, o.bill_id)
LEFT JOIN shop.blocked b ON b.address_id = a.id OR b.aorder_id = a.region
-- key shop.aorder(id)
-- a: reverse id via shop.aorder
-- a: reverse id via shop.aorder
-- o: key id
-- b: reverse address_id via shop.address, shop.aorder
-- b: reverse address_id via shop.address, shop.aorder
-- b: reverse aorder_id via shop.address, shop.aorder
-- b: reverse aorder_id via shop.address, shop.aorder
