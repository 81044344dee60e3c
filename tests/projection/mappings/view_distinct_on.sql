SELECT o.id, f.qty FROM shop.orders o JOIN shop.first_lines f ON f.order_id = o.id
-- key shop.orders(id)
-- o: key id
-- i: column order_id
