SELECT o.id, (SELECT sum(l.qty) FROM shop.all_lines l WHERE l.order_id = o.id) AS n FROM shop.orders o
-- key shop.orders(id)
-- o: key id
-- item: column order_id
-- item_archive: column order_id
