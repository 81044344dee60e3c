WITH named AS (SELECT id, name FROM shop.customer)
SELECT o.id, named.name FROM shop.orders o JOIN named ON named.id = o.customer_id
UNION
(SELECT o.id, o.status FROM shop.orders o WHERE o.total > 1)
-- key shop.orders(id)
-- restricted 2
-- customer: reverse id via shop.orders
-- o: key id
-- o: key id
