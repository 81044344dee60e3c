SELECT v.ref::text AS id, v.state, v.customer FROM shop.order_summary v
-- key shop.orders(id)
-- o: key id
-- c: reverse id via shop.orders
