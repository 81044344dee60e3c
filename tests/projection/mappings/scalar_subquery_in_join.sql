SELECT o.id, i.qty FROM shop.orders o
JOIN shop.item i ON i.order_id = (SELECT o2.id FROM shop.orders o2 WHERE o2.id = o.id)
-- key shop.orders(id)
-- o: key id
-- i: column order_id
-- o2: column id
