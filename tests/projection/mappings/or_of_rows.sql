SELECT o.id, a.id AS address FROM shop.aorder o JOIN shop.address a ON (a.id, a.region) IN ((o.ship_id, o.region), (o.bill_id, 1))
-- key shop.aorder(id)
-- a: reverse id, region via shop.aorder
-- a: reverse id via shop.aorder
-- o: key id
