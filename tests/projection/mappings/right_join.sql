SELECT o.id, s.carrier, i.qty
FROM shop.item i
JOIN shop.shipment s ON s.order_id = i.order_id
RIGHT JOIN shop.orders o ON o.id = i.order_id
-- key shop.orders(id)
-- o: key id
-- i: column order_id
-- s: column order_id
