SELECT o.id FROM shop.orders o EXCEPT SELECT n.order_id FROM shop.note n
-- problem 1:8 the branches take id from different tables
