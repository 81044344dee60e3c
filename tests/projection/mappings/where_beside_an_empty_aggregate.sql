-- The sum of lines is computed also for orders whose status is another one.
SELECT o.id, (SELECT count(*) + (SELECT count(*) FROM shop.line l WHERE l.order_id = o.customer_id AND l.active)
    FROM shop.note n WHERE n.order_id = o.id AND o.status = 'a' AND o.customer_id = o.id) AS n
FROM shop.orders o
-- key shop.orders(id)
-- o: key id
-- l: reverse order_id if active via shop.orders
-- n: column order_id
