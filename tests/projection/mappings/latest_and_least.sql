-- The two are of different rows.
SELECT o.id, b.name AS most, a.name AS least
FROM shop.orders o
LEFT JOIN (SELECT i.order_id, max(i.product_id) AS most, count(*) AS n FROM shop.item i GROUP BY i.order_id) m ON m.order_id = o.id
LEFT JOIN shop.product b ON b.id = m.most
LEFT JOIN (SELECT i.order_id, min(i.product_id) AS least FROM shop.item i GROUP BY i.order_id) l ON l.order_id = o.id
LEFT JOIN shop.product a ON a.id = l.least
-- key shop.orders(id)
-- a: reverse id via shop.item
-- b: reverse id via shop.item
-- i: column order_id
-- i: column order_id
-- o: key id
