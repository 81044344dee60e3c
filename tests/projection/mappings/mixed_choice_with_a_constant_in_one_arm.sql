SELECT o.id, a.amount FROM shop.aorder o JOIN shop.adjustment a ON a.order_id = o.id OR (a.source_type = 'a' AND a.source_id = o.id)
-- key shop.aorder(id)
-- o: key id
-- a: column order_id
-- a: column source_id if source_type = 'a'
