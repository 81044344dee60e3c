WITH lines AS (SELECT i.order_id AS oid, i.qty, p.name FROM shop.item i JOIN shop.product p ON i.product_id = p.id),
     sums (which, total) AS (SELECT l.oid, sum(l.qty) FROM lines l GROUP BY l.oid)
SELECT o.id, s.total, (SELECT string_agg(name, ',' ORDER BY name) FROM lines WHERE oid = o.id) AS names
FROM shop.orders o LEFT JOIN sums AS s ON s.which = o.id
-- key shop.orders(id)
-- restricted 3
-- o: key id
-- i: column order_id
-- p: reverse id via shop.item
