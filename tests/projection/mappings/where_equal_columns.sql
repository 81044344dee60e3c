-- What one column is, the other is.
SELECT o.id, p.name, q.name AS other FROM shop.orders o
JOIN shop.promotion p ON p.kind = o.status
LEFT JOIN shop.customer q ON q.id = o.customer_id AND q.region = p.kind
WHERE o.status = 'a'
-- key shop.orders(id)
-- o: key id if status = 'a'
-- q: reverse id, region if region = 'a' via shop.orders (status = 'a')
-- p: reverse kind if kind = 'a' via shop.orders (status = 'a')
