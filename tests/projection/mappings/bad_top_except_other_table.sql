SELECT o.id FROM shop.orders o EXCEPT SELECT n.order_id FROM shop.note n
-- problem 1:8 the branches take id from different tables: shop.note, shop.orders
-- hint the key must be one table's: run a connector for each, or follow one table and join the other to it
