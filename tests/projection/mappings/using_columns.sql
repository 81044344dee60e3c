SELECT t.tenant || '-' || t.no AS id, memo, line, title
FROM shop.tenant_order t LEFT JOIN shop.tenant_item i USING (tenant, no) LEFT JOIN shop.tenant_product p USING (tenant, sku)
-- id {0}-{1}
-- key shop.tenant_order(tenant, no)
-- t: key tenant, no
-- i: column tenant, no
-- p: reverse tenant, sku via shop.tenant_item
