SELECT v.id FROM shop.order_copy v
-- problem 1:18 shop.order_copy is a materialized view, whose changes are not streamed
