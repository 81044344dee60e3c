SELECT o.id, l.name FROM shop.orders o JOIN shop.line_names l ON o.id = l.order_id
-- key shop.orders(id)
-- o: key id
-- item: column order_id
-- item_archive: column order_id
-- p: reverse id if name IS NOT NULL via shop.item
-- p: reverse id if name IS NOT NULL via shop.item_archive
