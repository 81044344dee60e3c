SELECT o.id, o.memo
FROM shop.gorder o
JOIN (SELECT x.customer_id, max(x.id) AS id FROM shop.gorder x GROUP BY x.customer_id) l ON l.customer_id = o.customer_id AND l.id = o.id
-- key shop.gorder(id)
-- o: key id
-- x: reverse customer_id via shop.gorder
