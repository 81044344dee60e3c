-- order_key: orders
SELECT o.id FROM shop.orders o
-- problem 1:15 the order_key line can't be read
-- hint write it as: -- order_key: schema.table(column)
