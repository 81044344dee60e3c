SELECT id FROM shop.orders UNION ALL SELECT no FROM shop.norder
-- problem 1:8 UNION is not supported yet
