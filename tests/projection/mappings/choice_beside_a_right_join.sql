SELECT s.id, o.id AS other, a.city
FROM shop.aorder o JOIN shop.address a ON a.id = coalesce(o.ship_id, o.bill_id)
RIGHT JOIN shop.shipment s ON s.order_id = o.id
-- key shop.shipment(id)
-- a: reverse id via shop.aorder, shop.shipment
-- a: reverse id via shop.aorder, shop.shipment
-- o: reverse id via shop.shipment
-- s: key id
