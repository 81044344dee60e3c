-- IS NULL in an arm of WHERE says nothing of a joined row: one with a value makes a row go that is filled with NULLs.
SELECT o.id, l.qty, a.city FROM shop.aorder o CROSS JOIN shop.address a LEFT JOIN shop.line l ON l.product_id = a.id
WHERE (a.id = o.ship_id AND l.deleted_at IS NULL) OR (a.id = o.bill_id AND l.kind = 'gift')
-- key shop.aorder(id)
-- o: key id
-- a: reverse id via shop.aorder
-- a: reverse id via shop.aorder
-- l: reverse product_id via shop.address, shop.aorder
-- l: reverse product_id if kind = 'gift' via shop.address, shop.aorder
