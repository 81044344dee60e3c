SELECT o.id, c.name
FROM shop.orders o
JOIN shop.customer c ON c.id < o.customer_id
-- sweep_tables shop.customer
-- key shop.orders(id)
-- o: key id
-- c: sweep 
