SELECT o.id, (SELECT string_agg(a.city, ',' ORDER BY a.id) FROM shop.address a WHERE a.id IN (o.ship_id, o.bill_id)) AS cities
FROM shop.aorder o
-- key shop.aorder(id)
-- a: reverse id via shop.aorder
-- a: reverse id via shop.aorder
-- o: key id
