SELECT o.id, (SELECT count(*) FROM shop.orders o2 WHERE o2.customer_id = o.customer_id) AS orders_of_customer
FROM shop.orders o
-- key shop.orders(id)
-- o: key id
-- o2: reverse customer_id via shop.orders
