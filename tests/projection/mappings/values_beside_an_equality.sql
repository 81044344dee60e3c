SELECT o.id, i.line, v.label FROM shop.orders o
JOIN shop.item i ON i.order_id = o.id JOIN (VALUES (1, 'one'), (2, 'two')) v (product_id, label) ON v.product_id = i.product_id
-- key shop.orders(id)
-- i: column order_id
-- o: key id
