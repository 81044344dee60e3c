-- Of an order that no shipment has nothing exists.
SELECT s.id, o.kind, b.id AS blocked
FROM shop.aorder o JOIN shop.address a ON EXISTS (SELECT FROM shop.aline l WHERE l.order_id = o.id AND l.origin_id = a.id)
RIGHT JOIN shop.shipment s ON s.order_id = o.id
LEFT JOIN shop.blocked b ON b.id = s.id
-- key shop.shipment(id)
-- a: reverse id via shop.aline, shop.aorder, shop.shipment
-- l: reverse order_id via shop.aorder, shop.shipment
-- o: reverse id via shop.shipment
-- b: column id
-- s: key id
