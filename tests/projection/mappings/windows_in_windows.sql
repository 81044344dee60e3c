SELECT r.id, r.nth, count(*) OVER (PARTITION BY r.region) AS n
FROM (SELECT g.id, g.region, rank() OVER (PARTITION BY g.customer_id ORDER BY g.placed) AS nth FROM shop.gorder g) r
WHERE r.nth < 3
-- key shop.gorder(id)
-- g: key id
-- g: reverse customer_id via shop.gorder
-- g: reverse customer_id via shop.gorder, shop.gorder
-- g: reverse region via shop.gorder
