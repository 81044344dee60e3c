-- It puts the rows of the query around together, in which it doesn't stand.
SELECT o.id, (SELECT p.name FROM shop.product p WHERE p.id = (SELECT max(i.product_id))) AS name
FROM shop.orders o JOIN shop.item i ON i.order_id = o.id GROUP BY o.id
-- key shop.orders(id)
-- i: column order_id
-- o: key id
-- p: sweep 
