SELECT o.id, c.name
FROM shop.orders o
JOIN shop.customer c ON c.id < o.customer_id
-- problem 3:6 no way leads from a changed row of shop.customer (alias c)
