SELECT tenant || '-' || no AS id, memo, line, title
FROM shop.tenant_order NATURAL LEFT JOIN shop.tenant_item NATURAL LEFT JOIN shop.tenant_product
-- id {0}-{1}
-- key shop.tenant_order(tenant, no)
-- tenant_order: key tenant, no
-- tenant_item: column tenant, no
-- tenant_product: reverse tenant, sku via shop.tenant_item
