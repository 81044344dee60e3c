WITH RECURSIVE parts (leaf, id) AS (
    SELECT c.id, c.id FROM shop.category c
    UNION
    SELECT parts.leaf, p.id FROM parts JOIN shop.category_link l ON l.child = parts.id JOIN shop.category p ON p.id = l.parent
)
SELECT o.id, p.name FROM shop.aorder o JOIN parts ON parts.leaf = o.ship_id JOIN shop.category p ON p.id = parts.id
-- key shop.aorder(id)
-- o: key id
-- p: reverse id via shop.category, shop.category_link, shop.aorder
-- c: reverse id via shop.aorder
-- p: reverse id via shop.category_link, shop.category, shop.category_link, shop.aorder
-- l: reverse child via shop.category, shop.category_link, shop.aorder
