SELECT o.id, o.status FROM shop.orders o EXCEPT SELECT x.id, x.status FROM shop.orders x JOIN shop.note n ON n.order_id = x.id
-- key shop.orders(id)
-- restricted 2
-- o: key id
-- x: key id
-- n: column order_id
