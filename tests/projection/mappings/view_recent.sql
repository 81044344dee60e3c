SELECT v.id, v.status FROM shop.recent v
-- warning 1:28 now() in a condition
-- key shop.orders(id)
-- orders: key id
