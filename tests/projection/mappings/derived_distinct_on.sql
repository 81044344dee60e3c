SELECT o.id, d.body
FROM shop.orders o
LEFT JOIN (SELECT DISTINCT ON (n.order_id) n.order_id, n.body FROM shop.note n ORDER BY n.order_id, n.body) d(oid, body) ON d.oid = o.id
-- key shop.orders(id)
-- restricted 2
-- o: key id
-- n: column order_id
