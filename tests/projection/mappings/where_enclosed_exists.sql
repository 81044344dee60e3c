-- The rows that EXISTS asks for are there only where those of its side are.
SELECT o.id, c.name FROM shop.line l JOIN shop.promotion p ON p.id = l.product_id AND EXISTS (
    SELECT FROM shop.note n WHERE n.order_id = l.qty AND l.kind = 'gift')
RIGHT JOIN shop.orders o ON l.order_id = o.id AND l.order_id = o.customer_id
LEFT JOIN shop.customer c ON c.id = o.customer_id
-- key shop.orders(id)
-- o: key id
-- c: reverse id via shop.orders
-- l: column order_id if kind = 'gift'
-- n: reverse order_id via shop.line (kind = 'gift')
-- p: reverse id via shop.line (kind = 'gift')
