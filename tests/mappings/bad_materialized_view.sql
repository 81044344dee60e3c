SELECT v.id FROM shop.order_copy v
-- problem 1:18 materialized view shop.order_copy is not supported yet
