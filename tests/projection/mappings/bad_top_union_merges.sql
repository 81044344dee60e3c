SELECT 'x' || o.id AS id FROM shop.orders o UNION SELECT 'x' || p.id FROM shop.orders p
-- problem 1:15 id can't be traced
