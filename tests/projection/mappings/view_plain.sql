SELECT v.id
FROM shop.order_view v
-- key shop.orders(id)
-- restricted 1
-- orders: key id
