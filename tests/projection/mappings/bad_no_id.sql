SELECT o.id AS order_id FROM shop.orders o
-- problem 1:8 there is no output column id
-- hint select the order's id AS id
