SELECT i.line, tenant || '-' || no AS id FROM shop.tenant_item i NATURAL RIGHT JOIN shop.tenant_order
-- id {0}-{1}
-- key shop.tenant_order(tenant, no)
-- tenant_order: key tenant, no
-- i: column tenant, no
