SELECT o.id, o.status IS DISTINCT FROM 'x' AS open, extract(day FROM o.placed) AS day
FROM shop.orders o
WHERE o.total IS NOT NULL -- a comment at the end
ORDER BY open
-- key shop.orders(id)
-- o: key id if total IS NOT NULL
