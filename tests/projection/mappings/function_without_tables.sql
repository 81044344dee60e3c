SELECT o.id, shop.shout(o.status) AS loud, shop.dice() AS four FROM shop.orders o
-- key shop.orders(id)
-- o: key id
