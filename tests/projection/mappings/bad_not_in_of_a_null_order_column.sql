-- NULL NOT IN (...) is true for no rows, and NULL for some: each such order depends on every row.
SELECT o.id, o.ship_id NOT IN (SELECT b.address_id FROM shop.blocked b) AS free FROM shop.aorder o
-- problem 2:57 no way leads
