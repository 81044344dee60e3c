SELECT o.id, l.qty FROM shop.orders o
LEFT JOIN (shop.line l FULL JOIN shop.adjustment a ON a.source_id = l.id AND a.source_type = 'a' AND l.kind = 'gift') ON l.order_id = o.id AND l.qty = 1
-- key shop.orders(id)
-- o: key id
-- a: reverse source_id if source_type = 'a' via shop.line (kind = 'gift' AND qty = 1)
-- l: column order_id if qty = 1
