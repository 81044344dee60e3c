SELECT o.id, a.id AS address FROM shop.aorder o LEFT JOIN shop.address a ON a.region = o.region AND a.id IN (SELECT b.address_id FROM shop.blocked b)
-- key shop.aorder(id)
-- a: reverse region via shop.aorder
-- o: key id
-- b: reverse address_id via shop.address, shop.aorder
