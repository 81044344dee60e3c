SELECT o.id, o.status, o.customer_id IN (SELECT c.id FROM shop.customer c WHERE c.id = o.customer_id) AS known
FROM shop.orders o
WHERE o.id IN (SELECT i.order_id FROM shop.item i JOIN shop.product p ON p.id = i.product_id)
  AND NOT EXISTS (SELECT 1 FROM shop.note n WHERE n.order_id = o.id AND n.body = 'x')
  AND (o.total > 3 OR EXISTS (SELECT FROM shop.shipment s WHERE s.order_id = o.id))
-- key shop.orders(id)
-- o: key id
-- c: reverse id via shop.orders
-- i: column order_id
-- p: reverse id via shop.item
-- n: column order_id if body = 'x'
-- s: column order_id
