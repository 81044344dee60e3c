SELECT v.id
FROM shop.order_view v
-- problem 2:6 view shop.order_view is not supported yet
