SELECT v.a AS id, v.b FROM shop.order_summary AS v (a, b)
-- key shop.orders(id)
-- o: key id
-- c: reverse id via shop.orders
