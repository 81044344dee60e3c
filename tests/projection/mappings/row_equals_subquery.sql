SELECT o.id FROM shop.orders o
WHERE (o.id, o.status) = (SELECT n.order_id, max(n.body) FROM shop.note n WHERE n.order_id = o.id GROUP BY n.order_id)
-- key shop.orders(id)
-- o: key id
-- n: column order_id
