SELECT t.tenant || '-' || t.no AS id, t.memo, (
    SELECT jsonb_agg(p.title ORDER BY i.line)
    FROM shop.tenant_item i LEFT JOIN shop.tenant_product p ON (p.tenant, p.sku) = (i.tenant, i.sku)
    WHERE i.tenant = t.tenant AND i.no = t.no
) AS titles
FROM shop.tenant_order AS t
-- id {0}-{1}
-- key shop.tenant_order(tenant, no)
-- t: key tenant, no
-- i: column tenant, no
-- p: reverse tenant, sku via shop.tenant_item
