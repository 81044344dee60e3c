SELECT o.id, p.name, s.carrier
FROM shop.orders o LEFT JOIN shop.item i JOIN shop.product p ON p.id = i.product_id ON i.order_id = o.id
LEFT JOIN shop.shipment s ON s.order_id = i.order_id AND s.carrier = p.name
-- key shop.orders(id)
-- o: key id
-- i: column order_id
-- p: reverse id via shop.item
-- s: column order_id
