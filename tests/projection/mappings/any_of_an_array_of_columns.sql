SELECT o.id, a.id AS address, a.city FROM shop.aorder o JOIN shop.address a ON a.id = ANY (ARRAY[o.ship_id, o.bill_id]) AND a.region = o.region
-- key shop.aorder(id)
-- a: reverse id, region via shop.aorder
-- a: reverse id, region via shop.aorder
-- o: key id
