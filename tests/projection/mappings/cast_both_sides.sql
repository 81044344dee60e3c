SELECT o.id, p.name FROM shop.orders o JOIN shop.product p ON p.id::text = o.customer_id::text
-- key shop.orders(id)
-- o: key id
-- p: reverse id via shop.orders
