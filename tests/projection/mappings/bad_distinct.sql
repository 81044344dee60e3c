SELECT DISTINCT o.status || o.id AS id FROM shop.orders o
-- problem 1:17 DISTINCT may merge orders
