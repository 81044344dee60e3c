SELECT d.a AS id FROM (SELECT * FROM shop.tenant_order JOIN shop.tenant_item USING (tenant, no) JOIN shop.tenant_product USING (sku)) d (a, b)
-- problem 1:38 the columns of d can't be told from their places
-- hint name them instead of *
