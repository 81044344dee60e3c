SELECT o.id FROM shop.orders o JOIN ((SELECT n.order_id FROM shop.note n) LIMIT 3) u ON u.order_id = o.id
-- problem 1:62 rows of all orders compete under LIMIT
