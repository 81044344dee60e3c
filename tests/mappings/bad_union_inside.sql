SELECT o.id FROM shop.orders o
JOIN (SELECT order_id FROM shop.note UNION SELECT order_id FROM shop.shipment) x ON x.order_id = o.id
-- problem 2:14 UNION is not supported yet
