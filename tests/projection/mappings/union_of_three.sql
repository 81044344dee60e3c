SELECT o.id, x.what FROM shop.orders o JOIN (
    SELECT order_id, 'note' AS what FROM shop.note
    UNION ALL SELECT order_id, 'ship' FROM shop.shipment
    UNION ALL (SELECT s.order_id, 'line' FROM shop.shipment_line l JOIN shop.shipment s ON s.id = l.shipment_id)
) x ON x.order_id = o.id
-- key shop.orders(id)
-- restricted 4
-- o: key id
-- note: column order_id
-- shipment: column order_id
-- s: column order_id
-- l: reverse shipment_id via shop.shipment
