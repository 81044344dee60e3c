SELECT o.id, count(*) FILTER (WHERE s.shipped < clock_timestamp()) AS n
FROM shop.orders o LEFT JOIN shop.shipment s ON s.order_id = o.id AND age(s.shipped) > interval '1 day' GROUP BY o.id
-- warning 1:49 clock_timestamp() in a condition
-- warning 2:71 age() in a condition
-- key shop.orders(id)
-- o: key id
-- s: column order_id
