-- The same inside of a derived table.
SELECT o.id, x.qty FROM shop.orders o JOIN (
    SELECT c.id AS order_id, l.qty, l.deleted_at FROM shop.orders c LEFT JOIN shop.line l ON l.order_id = c.id
) x ON x.order_id = o.id WHERE x.deleted_at IS NULL
-- key shop.orders(id)
-- o: key id
-- l: column order_id
-- c: column id
