SELECT o.id, i.line, p.name, v.name AS vendor
FROM shop.orders o
LEFT JOIN shop.item i ON i.order_id = o.id
LEFT JOIN shop.product p ON p.id = i.product_id
LEFT JOIN shop.vendor v ON v.id = p.vendor_id
WHERE o.status <> 'x' OR o.total > 1
-- key shop.orders(id)
-- o: key id
-- i: column order_id
-- p: reverse id via shop.item
-- v: reverse id via shop.product, shop.item
