SELECT DISTINCT ON (g.customer_id) g.id, rank() OVER (PARTITION BY g.customer_id ORDER BY g.placed) AS r
FROM shop.gorder g ORDER BY g.customer_id, r, g.id
-- key shop.gorder(id)
-- g: key id
-- g: reverse customer_id via shop.gorder
