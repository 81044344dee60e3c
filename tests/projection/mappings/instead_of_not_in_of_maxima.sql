SELECT o.id, s.carrier
FROM shop.orders o
JOIN shop.shipment s ON s.order_id = o.id
WHERE NOT EXISTS (
    SELECT FROM (SELECT x.order_id, max(x.id) AS id FROM shop.shipment x GROUP BY x.order_id) m WHERE m.order_id = s.order_id AND m.id = s.id
)
-- key shop.orders(id)
-- o: key id
-- s: column order_id
-- x: column order_id
