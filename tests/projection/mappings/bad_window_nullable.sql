-- Orders without a customer would share a partition, and nothing leads from one of them to the others.
SELECT o.id, rank() OVER (PARTITION BY o.customer_id ORDER BY o.placed) AS nth FROM shop.orders o
-- problem 2:85 a window function sees rows of all orders
