-- IS NOT NULL in the inner join's condition says nothing of the rows that the outer join fills.
SELECT s.id, count(*) OVER (PARTITION BY o.customer_id) AS n
FROM shop.orders o JOIN shop.note n ON n.order_id = o.id AND o.customer_id IS NOT NULL
RIGHT JOIN shop.shipment s ON s.order_id = o.id
-- problem 3:6 no way leads from a changed row of shop.orders (alias o) to the orders it changes: a window function
