SELECT o.id, p.name, s.carrier
FROM shop.orders o
LEFT JOIN (shop.item i JOIN shop.product p ON p.id = i.product_id) ON i.order_id = o.id, shop.shipment s
WHERE (s.order_id = o.id) AND s.carrier IS NOT NULL
-- key shop.orders(id)
-- o: key id
-- i: column order_id
-- p: reverse id via shop.item
-- s: column order_id if carrier IS NOT NULL
