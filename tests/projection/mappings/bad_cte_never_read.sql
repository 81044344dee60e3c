WITH spare AS (SELECT 1 AS one) SELECT o.id FROM shop.orders o
-- problem 1:6 the CTE spare is never read
-- hint remove it
