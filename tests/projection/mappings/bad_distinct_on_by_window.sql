SELECT DISTINCT ON (g.customer_id) g.id, rank() OVER (PARTITION BY g.region ORDER BY g.placed) AS r
FROM shop.gorder g ORDER BY g.customer_id, r
-- problem 2:6 a window function sees rows of all orders
