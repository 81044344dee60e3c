SELECT o.id, a.city FROM shop.aorder o JOIN shop.address a ON a.id = o.ship_id AND a.id = o.bill_id
-- key shop.aorder(id)
-- o: key id
-- a: reverse id via shop.aorder
