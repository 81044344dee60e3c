SELECT n.order_id AS id FROM shop.note n
-- problem 1:8 id comes from shop.note, which has no primary key
-- hint say which: add a line  -- order_key: schema.table(column)
