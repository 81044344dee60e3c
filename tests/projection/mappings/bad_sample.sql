SELECT o.id FROM shop.orders o TABLESAMPLE SYSTEM (10)
-- problem 1:18 TABLESAMPLE on a table is not supported
-- hint leave it out
