WITH p AS (SELECT current_date - 90 AS since)
SELECT o.id, o.status, CASE WHEN o.placed > p.since THEN 'new' ELSE 'old' END AS age FROM shop.orders o CROSS JOIN p
-- warning 1:19 current_date in a condition
-- key shop.orders(id)
-- o: key id
