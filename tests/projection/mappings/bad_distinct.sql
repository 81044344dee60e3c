SELECT DISTINCT o.status || o.id AS id FROM shop.orders o
-- problem 1:17 DISTINCT may merge orders: shop.orders.id is not among its columns
-- hint select shop.orders.id too, or leave DISTINCT out
