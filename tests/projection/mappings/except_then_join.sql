SELECT o.id, p.name FROM shop.orders o
JOIN (SELECT i.order_id, i.product_id FROM shop.item i EXCEPT SELECT a.order_id, a.product_id FROM shop.item_archive a) x ON x.order_id = o.id
JOIN shop.product p ON p.id = x.product_id
-- key shop.orders(id)
-- o: key id
-- i: column order_id
-- a: column order_id
-- p: reverse id via shop.item
