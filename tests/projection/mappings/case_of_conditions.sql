SELECT o.id, a.id AS address
FROM shop.aorder o LEFT JOIN shop.address a ON CASE WHEN o.kind = 'a' THEN a.id = o.ship_id WHEN o.kind = 'b' THEN false ELSE a.id = o.bill_id END
-- key shop.aorder(id)
-- a: reverse id via shop.aorder
-- a: reverse id via shop.aorder
-- o: key id
