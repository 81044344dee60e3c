SELECT o.id, a.id AS address, b.id AS blocked
FROM shop.aorder o
JOIN shop.address a ON (a.id = o.ship_id AND a.region > 1) OR (a.id = o.bill_id AND a.region = o.region)
LEFT JOIN shop.blocked b ON b.address_id = a.id
-- key shop.aorder(id)
-- a: reverse id via shop.aorder
-- a: reverse id, region via shop.aorder
-- o: key id
-- b: reverse address_id via shop.address, shop.aorder
-- b: reverse address_id via shop.address, shop.aorder
