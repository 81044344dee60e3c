SELECT o.id, shop.order_total(o.id) AS total FROM shop.orders o
-- problem 1:19 the function order_total may read tables
