SELECT o.id, l.qty FROM shop.orders o JOIN ONLY shop.base_line l ON l.order_id = o.id
-- key shop.orders(id)
-- o: key id
-- l: column order_id
