SELECT id FROM shop.orders UNION ALL SELECT no FROM shop.tenant_order
-- problem 1:8 the branches take id from different tables: shop.orders, shop.tenant_order
