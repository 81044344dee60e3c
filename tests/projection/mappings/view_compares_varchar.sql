SELECT o.id, c.name FROM shop.orders o LEFT JOIN shop.carrier_of c ON c.order_id = o.id
-- key shop.orders(id)
-- o: key id
-- s: column order_id
-- c: reverse code via shop.shipment
