SELECT DISTINCT ON (o.customer_id) o.id FROM shop.orders o
-- problem 1:46 a window function sees rows of all orders
