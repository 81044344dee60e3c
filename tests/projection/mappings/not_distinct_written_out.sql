SELECT o.id, a.id AS address FROM shop.aorder o LEFT JOIN shop.address a ON a.id = o.ship_id OR (a.id IS NULL AND o.ship_id IS NULL)
-- key shop.aorder(id)
-- a: reverse id via shop.aorder
-- o: key id
