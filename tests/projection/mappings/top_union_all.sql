SELECT o.id, c.name FROM shop.orders o JOIN shop.customer c ON c.id = o.customer_id WHERE o.status = 'a'
UNION ALL
SELECT p.id, n.body FROM shop.orders p JOIN shop.note n ON n.order_id = p.id WHERE p.status <> 'a'
ORDER BY 1
-- key shop.orders(id)
-- restricted 2
-- o: key id if status = 'a'
-- c: reverse id via shop.orders (status = 'a')
-- p: key id
-- n: column order_id
