SELECT o.id, c.name FROM shop.orders o
LEFT JOIN shop.customer c ON c.id = (SELECT max(s.id) FROM shop.shipment s WHERE s.order_id = o.id)
-- problem 2:11 no way leads from a changed row of shop.customer (alias c) to the orders that it changes: `(SELECT MAX(s.id) FROM shop.shipment AS s WHERE s.order_id = o.id)` computes its value, and no lookup finds the rows behind it
-- hint let it give a plain column: SELECT x.id ... ORDER BY x.id DESC LIMIT 1 instead of max(x.id); or list "shop.customer" in mapping.sweep_tables, and every order is looked at when a row there changes
-- instead instead_of_a_scalar_maximum
