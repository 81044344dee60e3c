SELECT g.id, count(*) OVER (PARTITION BY g.customer_id) AS a, count(*) OVER w AS b
FROM shop.gorder g WINDOW w AS (PARTITION BY g.region ORDER BY g.id)
-- key shop.gorder(id)
-- restricted 1
-- g: key id
-- g: reverse customer_id via shop.gorder
-- g: reverse region via shop.gorder
