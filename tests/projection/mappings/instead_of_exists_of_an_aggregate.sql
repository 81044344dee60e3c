SELECT o.id, c.name FROM shop.orders o CROSS JOIN shop.customer c
WHERE EXISTS (SELECT FROM shop.item i WHERE i.product_id = c.id AND i.order_id = o.id)
-- key shop.orders(id)
-- c: reverse id via shop.item
-- i: column order_id
-- o: key id
