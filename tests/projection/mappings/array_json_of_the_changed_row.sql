SELECT o.id, count(b.id) AS baskets
FROM shop.list_order o
LEFT JOIN (shop.basket b CROSS JOIN LATERAL jsonb_array_elements(b.lines) AS line) ON (line ->> 'order')::bigint = o.id
GROUP BY o.id
-- key shop.list_order(id)
-- o: key id
-- b: reverse lines via shop.list_order
