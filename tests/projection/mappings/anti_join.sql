SELECT o.id FROM shop.orders o LEFT JOIN shop.note n ON n.order_id = o.id AND n.body <> 'x' WHERE n.order_id IS NULL
-- key shop.orders(id)
-- o: key id
-- n: column order_id
