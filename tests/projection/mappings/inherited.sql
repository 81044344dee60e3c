SELECT o.id, (SELECT sum(l.qty) FROM shop.base_line l WHERE l.order_id = o.id) AS pieces FROM shop.orders o
-- key shop.orders(id)
-- o: key id
-- l: column order_id
-- l: column order_id
-- l: column order_id
