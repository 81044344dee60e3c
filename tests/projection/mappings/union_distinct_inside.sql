SELECT o.id FROM shop.orders o
JOIN (SELECT order_id FROM shop.note UNION SELECT order_id FROM shop.shipment) x ON x.order_id = o.id
-- key shop.orders(id)
-- restricted 3
-- o: key id
-- note: column order_id
-- shipment: column order_id
