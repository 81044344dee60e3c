SELECT o.id, o.id IN (SELECT l.order_id FROM shop.aline l WHERE l.order_id IS NOT NULL) AS sold,
    CASE WHEN o.ship_id IN (SELECT a.id FROM shop.address a WHERE a.region > 2) THEN 'far' ELSE 'near' END AS distance,
    count(l.id) FILTER (WHERE l.origin_id IN (SELECT b.aorder_id FROM shop.blocked b)) AS blocked
FROM shop.aorder o LEFT JOIN shop.aline l ON l.order_id = o.id GROUP BY o.id
-- key shop.aorder(id)
-- a: reverse id via shop.aorder
-- l: column order_id
-- l: column order_id
-- o: key id
-- b: reverse aorder_id via shop.aline
