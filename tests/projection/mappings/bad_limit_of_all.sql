SELECT o.id, d.body FROM shop.orders o
LEFT JOIN (SELECT n.order_id, n.body FROM shop.note n ORDER BY n.body LIMIT 3) d ON d.order_id = o.id
-- problem 2:43 rows of all orders compete under LIMIT
