WITH RECURSIVE path (leaf, tenant, id) AS (
    SELECT c.id, c.tenant, c.parent_id FROM shop.category c
    UNION
    SELECT path.leaf, path.tenant, c.parent_id FROM path JOIN shop.category c ON c.id = path.id AND c.tenant = path.tenant
)
SELECT o.id, path.id AS above FROM shop.aorder o JOIN path ON path.leaf = o.ship_id AND path.tenant = o.region
-- key shop.aorder(id)
-- o: key id
-- c: reverse id, tenant via shop.aorder
-- c: reverse tenant, id via shop.category, shop.category, shop.aorder
