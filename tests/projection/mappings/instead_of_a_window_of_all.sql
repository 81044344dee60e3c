SELECT o.id, d.r FROM shop.orders o LEFT JOIN (
    SELECT n.order_id, rank() OVER (PARTITION BY n.order_id ORDER BY n.body) AS r FROM shop.note n
) d ON d.order_id = o.id
-- key shop.orders(id)
-- n: column order_id
-- o: key id
