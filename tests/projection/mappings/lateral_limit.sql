SELECT o.id, last.shipped, c.name AS carrier
FROM shop.orders o
LEFT JOIN LATERAL (
    SELECT s.shipped, s.carrier FROM shop.shipment s WHERE s.order_id = o.id ORDER BY s.shipped DESC NULLS LAST, s.id LIMIT 1
) last ON true
LEFT JOIN shop.carrier c ON c.code = last.carrier
-- key shop.orders(id)
-- o: key id
-- s: column order_id
-- c: reverse code via shop.shipment
