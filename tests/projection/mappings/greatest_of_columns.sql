SELECT o.id, a.city FROM shop.aorder o JOIN shop.address a ON a.id = greatest(o.ship_id, nullif(o.bill_id, 3))
-- key shop.aorder(id)
-- a: reverse id via shop.aorder
-- a: reverse id via shop.aorder
-- o: key id
