SELECT 'A' || b.ref AS id FROM (
    SELECT o.id || 'x' AS ref FROM shop.orders o UNION ALL SELECT p.id || 'y' FROM shop.orders p) b
-- problem 1:15 id can't be traced
