-- A trailing semicolon and comments are fine.
SELECT o.id::text AS id, /* who */ c.name
FROM shop.orders o -- the orders
JOIN shop.customer c ON c.id = o.customer_id;
-- key shop.orders(id)
-- o: key id
-- c: reverse id via shop.orders
