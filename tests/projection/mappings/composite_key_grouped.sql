WITH n AS (SELECT tenant, no, count(*) AS c FROM shop.tenant_item GROUP BY tenant, no)
SELECT t.tenant || '-' || t.no AS id, n.c FROM shop.tenant_order t JOIN n USING (tenant, no)
-- id {0}-{1}
-- key shop.tenant_order(tenant, no)
-- restricted 2
-- t: key tenant, no
-- tenant_item: column tenant, no
