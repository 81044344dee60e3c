SELECT o.id FROM shop.aorder o
WHERE NOT (o.kind = 'a' OR o.id IN (SELECT l.order_id FROM shop.aline l WHERE l.order_id IS NOT NULL GROUP BY l.order_id HAVING count(*) > 1))
-- key shop.aorder(id)
-- l: column order_id
-- o: key id
