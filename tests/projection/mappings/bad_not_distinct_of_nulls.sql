SELECT o.id, l.id AS line FROM shop.aorder o JOIN shop.aline l ON l.origin_id IS NOT DISTINCT FROM o.ship_id
-- problem 1:51 no way leads
