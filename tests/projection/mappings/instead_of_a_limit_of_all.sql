-- The join's condition inside, so that each order's rows are counted.
SELECT o.id, d.body FROM shop.orders o
LEFT JOIN LATERAL (SELECT n.body FROM shop.note n WHERE n.order_id = o.id ORDER BY n.body LIMIT 3) d ON true
-- key shop.orders(id)
-- n: column order_id
-- o: key id
