-- What is said of one row doesn't hold for the other.
SELECT o.id, b.name AS most, a.name AS least, v.name AS vendor
FROM shop.orders o
JOIN (SELECT i.order_id, max(i.product_id) AS most, min(i.product_id) AS least FROM shop.item i GROUP BY i.order_id) m ON m.order_id = o.id
JOIN shop.product b ON b.id = m.most
JOIN shop.product a ON m.least = a.id
LEFT JOIN shop.vendor v ON v.id = a.vendor_id
WHERE m.least IN (1, 2)
-- key shop.orders(id)
-- a: reverse id if id IN (1, 2) via shop.item (product_id IN (1, 2))
-- b: reverse id via shop.item
-- i: column order_id
-- o: key id
-- v: reverse id via shop.product (id IN (1, 2)), shop.item
