SELECT o.id, s.carrier FROM shop.orders o FULL JOIN shop.shipment s ON s.order_id = o.id WHERE o.id IS NOT NULL
-- key shop.orders(id)
-- o: key id
-- s: column order_id
