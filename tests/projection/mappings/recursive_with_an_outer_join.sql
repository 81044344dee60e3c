-- The round goes on by another table than the one that is only looked at.
WITH RECURSIVE path (leaf, id, note) AS (
    SELECT c.id, c.parent_id, NULL::text FROM shop.category c
    UNION
    SELECT path.leaf, c.parent_id, a.city
    FROM path JOIN shop.category c ON c.id = path.id LEFT JOIN shop.address a ON a.id = c.id AND a.region = 1
)
SELECT o.id, path.id AS above, path.note FROM shop.aorder o JOIN path ON path.leaf = o.ship_id
-- key shop.aorder(id)
-- a: reverse id if region = 1 via shop.category, shop.category, shop.aorder
-- o: key id
-- c: reverse id via shop.aorder
-- c: reverse id via shop.category, shop.category, shop.aorder
