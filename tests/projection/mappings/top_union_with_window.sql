SELECT g.id, 'all' AS what, count(*) OVER (PARTITION BY g.customer_id) AS n FROM shop.gorder g
UNION ALL
SELECT h.id, 'lines', l.qty FROM shop.gorder h JOIN shop.gline l ON l.gorder_id = h.id
-- key shop.gorder(id)
-- restricted 3
-- g: key id
-- g: reverse customer_id via shop.gorder
-- h: key id
-- l: column gorder_id
