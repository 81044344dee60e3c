SELECT d.id, d.n, s.carrier
FROM (SELECT o.id, i.line, count(*) OVER (PARTITION BY o.id) AS n FROM shop.orders o JOIN shop.item i ON i.order_id = o.id) d
LEFT JOIN LATERAL (SELECT s.carrier FROM shop.shipment s WHERE s.order_id = d.id ORDER BY s.carrier LIMIT 1) s ON d.n > 1
-- key shop.orders(id)
-- restricted 2
-- o: key id
-- i: column order_id
-- s: column order_id
