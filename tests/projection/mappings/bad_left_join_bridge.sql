-- Every order sees every customer, whether or not a shipment stands between.
SELECT o.id, c.name, s.carrier
FROM shop.orders o CROSS JOIN shop.customer c
LEFT JOIN shop.shipment s ON s.id = c.id AND s.order_id = o.id
-- problem 3:31 no way leads from a changed row of shop.customer
