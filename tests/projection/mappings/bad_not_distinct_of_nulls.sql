SELECT o.id, l.id AS line FROM shop.aorder o JOIN shop.aline l ON l.origin_id IS NOT DISTINCT FROM o.ship_id
-- problem 1:51 no way leads from a changed row of shop.aline (alias l) to the orders that it changes: `l.origin_id IS NOT DISTINCT FROM o.ship_id` is true where both are NULL, too, and no lookup finds a NULL
-- hint write l.origin_id = o.ship_id, or say of one side that it IS NOT NULL; or list "shop.aline" in mapping.sweep_tables, and every order is looked at when a row there changes
-- instead not_distinct_by_what_stands_beside
