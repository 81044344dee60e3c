SELECT o.id, (SELECT p.name FROM shop.product p WHERE p.id = (SELECT max(i.product_id) FROM shop.item i WHERE i.order_id = o.id)) AS name
FROM shop.orders o
-- key shop.orders(id)
-- i: column order_id
-- o: key id
-- p: reverse id via shop.item
