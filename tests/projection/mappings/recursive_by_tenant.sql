-- The tenant is the same in every round, so the walk stays within it.
WITH RECURSIVE parts (tenant, root, part) AS (
    SELECT c.tenant, c.parent, c.part FROM shop.component c
    UNION
    SELECT parts.tenant, parts.root, d.part FROM parts JOIN shop.component d ON d.parent = parts.part AND d.tenant = parts.tenant
)
SELECT t.tenant || '-' || t.no AS id, (SELECT count(*) FROM parts WHERE parts.tenant = t.tenant AND parts.root = t.no) AS parts
FROM shop.tenant_order t
-- id {0}-{1}
-- key shop.tenant_order(tenant, no)
-- t: key tenant, no
-- c: column tenant, parent
-- d: reverse tenant, parent via shop.component, shop.component
