SELECT t.tenant || '-' || t.no AS id, p.title
FROM shop.tenant_order t JOIN shop.tenant_item i ON (i.tenant, i.no) = (t.tenant, t.no)
JOIN shop.tenant_product p ON ROW(p.tenant, p.sku) = ROW(i.tenant, i.sku)
-- id {0}-{1}
-- key shop.tenant_order(tenant, no)
-- t: key tenant, no
-- i: column tenant, no
-- p: reverse tenant, sku via shop.tenant_item
