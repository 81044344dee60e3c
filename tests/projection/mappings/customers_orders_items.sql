-- What the customer bought, over all orders.
SELECT o.id, sum(i.qty) AS bought
FROM shop.orders o
LEFT JOIN shop.orders o2 ON o2.customer_id = o.customer_id
LEFT JOIN shop.item i ON i.order_id = o2.id
GROUP BY o.id
-- key shop.orders(id)
-- o: key id
-- o2: reverse customer_id via shop.orders
-- i: reverse order_id via shop.orders, shop.orders
