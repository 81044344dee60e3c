SELECT o.id, d.body FROM shop.orders o LEFT JOIN (
    SELECT DISTINCT ON (n.order_id, n.body) n.order_id AS id, n.body FROM shop.note n ORDER BY n.order_id, n.body
) d ON d.id = o.id
-- key shop.orders(id)
-- n: column order_id
-- o: key id
