SELECT id, status, total FROM shop.orders
-- key shop.orders(id)
-- orders: key id
