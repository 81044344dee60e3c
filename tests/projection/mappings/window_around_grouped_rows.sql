-- The grouped rows of the other orders in the partition are needed too, so they must not be restricted.
SELECT g.id, sum(l.n) OVER (PARTITION BY g.customer_id) AS n
FROM shop.gorder g LEFT JOIN (SELECT gorder_id, sum(qty) AS n FROM shop.gline GROUP BY gorder_id) l ON l.gorder_id = g.id
-- key shop.gorder(id)
-- restricted 2
-- g: key id
-- g: reverse customer_id via shop.gorder
-- gline: column gorder_id
-- gline: reverse gorder_id via shop.gorder, shop.gorder
