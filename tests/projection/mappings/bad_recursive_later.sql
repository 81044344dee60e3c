WITH RECURSIVE a AS (SELECT b.order_id FROM b), b AS (SELECT order_id FROM shop.note)
SELECT o.id FROM shop.orders o JOIN a ON a.order_id = o.id
-- problem 1:45 b is a CTE that comes later
-- hint put it first
