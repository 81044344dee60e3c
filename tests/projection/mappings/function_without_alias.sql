SELECT o.id, count(*) AS n
FROM shop.orders o, jsonb_array_elements_text(o.data -> 'tags'), generate_series(1, 2)
WHERE o.data ? 'tags'
GROUP BY o.id
-- key shop.orders(id)
-- o: key id
