WITH ranked AS (SELECT g.*, row_number() OVER (PARTITION BY g.customer_id ORDER BY g.id) AS nth FROM shop.gorder g)
SELECT r.id, r.nth, r.memo, (SELECT count(*) FROM shop.gline l WHERE l.gorder_id = r.id) AS lines FROM ranked r
-- key shop.gorder(id)
-- restricted 2
-- g: key id
-- g: reverse customer_id via shop.gorder
-- l: column gorder_id
