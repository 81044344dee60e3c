SELECT DISTINCT ON (o.customer_id) o.id FROM shop.orders o
-- problem 1:21 DISTINCT ON does not name the column
