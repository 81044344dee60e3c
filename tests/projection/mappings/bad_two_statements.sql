SELECT id FROM shop.orders;
SELECT 1 AS id;
-- problem 2:1 there are 2 statements, not one
-- hint keep one SELECT
