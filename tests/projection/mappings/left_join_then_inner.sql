-- The last join makes the left one an inner one: the shipment must be there.
SELECT o.id, c.name
FROM shop.orders o CROSS JOIN shop.customer c
LEFT JOIN shop.shipment s ON s.id = c.id AND s.order_id = o.id
JOIN shop.shipment_line l ON l.shipment_id = s.id
-- key shop.orders(id)
-- o: key id
-- c: reverse id via shop.shipment
-- s: column order_id
-- l: reverse shipment_id via shop.shipment
