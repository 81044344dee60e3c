-- The names of a product's category and of all above it.
WITH RECURSIVE path (leaf, id, name, depth) AS (
    SELECT c.id, c.parent_id, c.name, 1 FROM shop.category c
    UNION ALL
    SELECT path.leaf, c.parent_id, c.name, path.depth + 1 FROM path JOIN shop.category c ON c.id = path.id WHERE path.depth < 6
)
SELECT o.id, (SELECT string_agg(path.name, '/' ORDER BY path.depth, path.name) FROM path WHERE path.leaf = o.ship_id) AS path
FROM shop.aorder o
-- key shop.aorder(id)
-- o: key id
-- c: reverse id via shop.aorder
-- c: reverse id via shop.category, shop.category, shop.aorder
