-- The walk goes over rows that the round asks for, and no others.
WITH RECURSIVE path (leaf, id, name) AS (
    SELECT c.id, c.parent_id, c.name FROM shop.category c WHERE c.tenant = 1
    UNION
    SELECT path.leaf, c.parent_id, c.name FROM path JOIN shop.category c ON c.id = path.id AND c.name IN ('a', 'b')
)
SELECT o.id, string_agg(path.name, ',' ORDER BY path.name) AS names
FROM shop.aorder o JOIN path ON path.leaf = o.ship_id GROUP BY o.id
-- key shop.aorder(id)
-- o: key id
-- c: reverse id if tenant = 1 via shop.aorder
-- c: reverse id if name IN ('a', 'b') via shop.category, shop.category (name IN ('a', 'b')), shop.aorder
