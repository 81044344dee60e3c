SELECT id FROM shop.orders UNION ALL SELECT no FROM shop.norder
-- problem 1:8 the branches take id from different tables: shop.norder, shop.orders
-- hint the key must be one table's: run a connector for each, or follow one table and join the other to it
