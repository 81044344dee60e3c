-- Two NULLs are equal here; of which there are none.
SELECT o.id, a.city, b.city AS other FROM shop.aorder o
LEFT JOIN shop.address a ON a.kind IS NOT DISTINCT FROM o.kind AND a.kind IS NOT NULL
JOIN shop.address b ON (b.id = o.ship_id AND b.city = 'a') OR (b.city IS NOT DISTINCT FROM o.kind AND o.kind IS NOT NULL)
-- key shop.aorder(id)
-- o: key id
-- a: reverse kind via shop.aorder
-- b: reverse id if city = 'a' via shop.aorder
-- b: reverse city via shop.aorder
