SELECT o.id, o.status FROM shop.orders o WHERE o.placed > now() - interval '90 days'
-- warning 1:59 now() in a condition
-- key shop.orders(id)
-- o: key id
