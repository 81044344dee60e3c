SELECT o.id, l.qty FROM shop.orders o JOIN shop.shipment s ON s.order_id = o.id JOIN shop.base_line l ON l.id = s.id
-- key shop.orders(id)
-- o: key id
-- s: column order_id
-- l: reverse id via shop.shipment
-- l: reverse id via shop.shipment
-- l: reverse id via shop.shipment
