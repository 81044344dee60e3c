SELECT o.id, c.relname FROM shop.orders o JOIN pg_catalog.pg_class c ON c.relname = o.status
-- problem 1:48 pg_catalog.pg_class is a system table: its changes can't be followed
-- hint keep what you need of it in a table
