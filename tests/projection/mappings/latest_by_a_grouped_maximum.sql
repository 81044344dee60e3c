SELECT o.id, s.carrier, s.shipped
FROM shop.orders o
LEFT JOIN (SELECT x.order_id, max(x.id) AS id FROM shop.shipment x GROUP BY x.order_id) l ON l.order_id = o.id
LEFT JOIN shop.shipment s ON s.id = l.id
-- key shop.orders(id)
-- o: key id
-- s: reverse id via shop.shipment
-- x: column order_id
