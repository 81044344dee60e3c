SELECT coalesce(o.id, o.customer_id) AS ignored, o.id, l.qty
FROM shop.orders o FULL JOIN shop.line l ON l.order_id = o.id AND l.deleted_at IS NULL AND o.status = 'a'
WHERE o.id IS NOT NULL
-- key shop.orders(id)
-- o: key id
-- l: column order_id if deleted_at IS NULL
