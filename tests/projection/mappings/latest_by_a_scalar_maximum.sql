SELECT o.id, c.name FROM shop.orders o
LEFT JOIN shop.customer c ON c.id = (SELECT max(s.id) FROM shop.shipment s WHERE s.order_id = o.id)
-- key shop.orders(id)
-- c: reverse id via shop.shipment
-- o: key id
-- s: column order_id
