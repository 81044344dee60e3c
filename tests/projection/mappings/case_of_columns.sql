SELECT o.id, a.city
FROM shop.aorder o LEFT JOIN shop.address a ON a.id = CASE WHEN o.kind = 'a' THEN o.ship_id WHEN o.kind = 'b' THEN NULL ELSE o.bill_id END
-- key shop.aorder(id)
-- a: reverse id via shop.aorder
-- a: reverse id via shop.aorder
-- o: key id
