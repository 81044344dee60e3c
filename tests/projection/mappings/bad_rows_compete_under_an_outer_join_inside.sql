-- A line without an address of the order's comes first as well.
SELECT o.id, d.id AS address FROM shop.aorder o
LEFT JOIN LATERAL (
    SELECT a.id FROM shop.aline l LEFT JOIN shop.address a ON a.id = l.origin_id AND a.region = o.region ORDER BY l.id LIMIT 1
) d ON d.id = o.ship_id
-- problem 4:22 no way leads from a changed row of shop.aline (alias l) to the orders that it changes: LIMIT, OFFSET or FETCH counts the rows of all orders together
-- hint put the join's condition into it: LATERAL (SELECT ... WHERE a.id = ... LIMIT ...); or list "shop.aline" in mapping.sweep_tables, and every order is looked at when a row there changes
-- instead instead_of_a_limit_of_all
