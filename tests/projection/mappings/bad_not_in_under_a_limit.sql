SELECT o.id, d.city FROM shop.aorder o LEFT JOIN LATERAL (
    SELECT a.city FROM shop.address a WHERE a.region = o.region AND o.id NOT IN (SELECT l.order_id FROM shop.aline l) LIMIT 1
) d ON true
-- problem 2:105 no way leads from a changed row of shop.aline (alias l) to the orders that it changes: NOT IN (SELECT ...) is NULL for every order as soon as one row gives NULL, and a column here may be NULL
-- hint write NOT EXISTS (SELECT FROM ... WHERE l.order_id = o.id); or list "shop.aline" in mapping.sweep_tables, and every order is looked at when a row there changes
-- instead instead_of_not_in
