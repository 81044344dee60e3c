-- A line of one order changes the share of all orders of the customer.
SELECT g.id, sum(sum(l.qty)) OVER (PARTITION BY g.customer_id) AS bought, sum(l.qty) AS n
FROM shop.gorder g LEFT JOIN shop.gline l ON l.gorder_id = g.id GROUP BY g.id
-- key shop.gorder(id)
-- restricted 2
-- g: key id
-- g: reverse customer_id via shop.gorder
-- l: column gorder_id
-- l: reverse gorder_id via shop.gorder, shop.gorder
