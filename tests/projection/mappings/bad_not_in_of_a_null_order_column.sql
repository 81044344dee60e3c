-- NULL NOT IN (...) is true for no rows, and NULL for some: each such order depends on every row.
SELECT o.id, o.ship_id NOT IN (SELECT b.address_id FROM shop.blocked b) AS free FROM shop.aorder o
-- problem 2:57 no way leads from a changed row of shop.blocked (alias b) to the orders that it changes: NOT IN (SELECT ...) is NULL for every order as soon as one row gives NULL, and a column here may be NULL
-- hint write NOT EXISTS (SELECT FROM ... WHERE b.address_id = o.ship_id); or list "shop.blocked" in mapping.sweep_tables, and every order is looked at when a row there changes
-- instead instead_of_not_in
