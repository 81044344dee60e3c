SELECT o.id, a.id AS address FROM shop.aorder o LEFT JOIN shop.address a ON a.region IS NOT DISTINCT FROM o.ship_id AND NOT (a.kind IS DISTINCT FROM o.kind)
-- key shop.aorder(id)
-- a: reverse region via shop.aorder
-- o: key id
