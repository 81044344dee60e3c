-- As it is written for a type that all rounds have.
WITH RECURSIVE up AS (
    SELECT c.id AS leaf, c.parent_id::bigint AS parent_id, c.name::text AS path FROM shop.category c
    UNION ALL
    SELECT up.leaf, c.parent_id::bigint, c.name || '/' || up.path FROM up JOIN shop.category c ON c.id = up.parent_id AND length(up.path) < 9
)
SELECT o.id, up.path FROM shop.aorder o JOIN up ON up.leaf = o.ship_id
-- key shop.aorder(id)
-- c: reverse id via shop.aorder
-- c: reverse id via shop.category, shop.category, shop.aorder
-- o: key id
