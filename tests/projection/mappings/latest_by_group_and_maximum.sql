SELECT o.id, s.carrier FROM shop.orders o JOIN shop.shipment s ON s.order_id = o.id
WHERE (s.order_id, s.id) IN (SELECT x.order_id, max(x.id) FROM shop.shipment x GROUP BY x.order_id)
-- key shop.orders(id)
-- o: key id
-- s: column order_id
-- x: column order_id
