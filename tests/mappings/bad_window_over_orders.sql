SELECT o.id, rank() OVER (PARTITION BY o.customer_id ORDER BY o.placed) AS nth FROM shop.orders o
-- problem 1:40 a window function is not partitioned by the column
