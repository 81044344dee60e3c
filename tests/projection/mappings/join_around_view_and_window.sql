SELECT g.id, r.nth, c.name, count(*) OVER (PARTITION BY c.id) AS n
FROM shop.gorder g JOIN shop.customer_rank r ON r.id = g.id JOIN shop.customer c ON c.id = g.customer_id
-- sweep_tables shop.gorder
-- key shop.gorder(id)
-- c: reverse id via shop.gorder
-- g: key id
-- g: reverse customer_id via shop.customer, shop.gorder
-- g: sweep 
