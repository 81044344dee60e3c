SELECT o.id, l.id AS line FROM shop.aorder o JOIN shop.aline l ON l.order_id = o.id AND (l.sku = o.kind OR (o.kind IS NULL AND l.sku IS NULL))
-- key shop.aorder(id)
-- l: column order_id
-- o: key id
