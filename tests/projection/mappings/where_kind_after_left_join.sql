-- Rows filled with NULLs are rejected, too.
SELECT o.id, l.qty FROM shop.orders o LEFT JOIN shop.line l ON l.order_id = o.id WHERE l.kind = 'gift' AND l.active
-- key shop.orders(id)
-- o: key id
-- l: column order_id if kind = 'gift' AND active
