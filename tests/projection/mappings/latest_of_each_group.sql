-- Of each group one, which is looked for among many.
SELECT o.id, (
    SELECT string_agg(c.name, ',' ORDER BY c.code) FROM shop.carrier c
    WHERE c.code IN (SELECT max(s.carrier) FROM shop.shipment s WHERE s.order_id = o.id GROUP BY s.shipped)
) AS names
FROM shop.orders o
-- key shop.orders(id)
-- c: reverse code via shop.shipment
-- o: key id
-- s: column order_id
