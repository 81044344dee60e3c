SELECT o.id || c.name AS id FROM shop.orders o JOIN shop.customer c ON c.id = o.customer_id
-- problem 1:8 id comes from several tables: shop.customer, shop.orders
-- hint say which: add a line  -- order_key: schema.table(column)
