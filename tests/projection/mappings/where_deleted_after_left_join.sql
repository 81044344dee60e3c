-- A deleted line keeps its order from having a row without one.
SELECT o.id, l.qty FROM shop.orders o LEFT JOIN shop.line l ON l.order_id = o.id WHERE l.deleted_at IS NULL
-- key shop.orders(id)
-- o: key id
-- l: column order_id
