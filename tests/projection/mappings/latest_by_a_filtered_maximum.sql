-- Through a CTE and one more query, with a table behind the one that is chosen.
WITH last AS (
    SELECT s.order_id, max(s.id) FILTER (WHERE s.carrier <> 'x') AS id FROM shop.shipment s WHERE s.shipped IS NOT NULL GROUP BY s.order_id
)
SELECT o.id, s.carrier, c.name
FROM shop.orders o
JOIN (SELECT last.order_id, last.id FROM last) l ON l.order_id = o.id
JOIN shop.shipment s ON s.id = l.id
LEFT JOIN shop.carrier c ON c.code = s.carrier
-- key shop.orders(id)
-- c: reverse code via shop.shipment, shop.shipment (shipped IS NOT NULL)
-- o: key id
-- s: column order_id if shipped IS NOT NULL
-- s: reverse id via shop.shipment (shipped IS NOT NULL)
