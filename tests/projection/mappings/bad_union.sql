SELECT id FROM shop.orders UNION ALL SELECT no FROM shop.norder
-- problem 1:8 the branches take id from different tables: shop.norder, shop.orders
