SELECT o.id, a.city FROM shop.aorder o LEFT JOIN shop.address a ON a.id = coalesce(o.ship_id, o.bill_id)
-- key shop.aorder(id)
-- a: reverse id via shop.aorder
-- a: reverse id via shop.aorder
-- o: key id
