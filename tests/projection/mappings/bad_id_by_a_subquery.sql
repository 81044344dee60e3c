SELECT (SELECT max(x.id) FROM shop.orders x) + o.id AS id FROM shop.orders o
-- problem 1:20 id can't be traced to a table's columns
-- hint say which: add a line  -- order_key: schema.table(column)
