SELECT o.id FROM shop.orders o
WHERE NOT EXISTS (SELECT FROM shop.line l WHERE l.order_id = o.id AND l.deleted_at IS NULL AND l.kind = 'fee')
  AND o.status NOT IN (SELECT p.kind FROM shop.promotion p WHERE p.id = o.customer_id AND p.deleted_at IS NULL AND p.kind IS NOT NULL)
  AND EXISTS (SELECT FROM shop.shipment s WHERE s.order_id = o.id AND s.carrier IS NOT NULL AND o.total IS NOT NULL)
-- key shop.orders(id)
-- o: key id if total IS NOT NULL
-- l: column order_id if kind = 'fee' AND deleted_at IS NULL
-- p: reverse id if kind IS NOT NULL AND deleted_at IS NULL via shop.orders (total IS NOT NULL)
-- s: column order_id if carrier IS NOT NULL
