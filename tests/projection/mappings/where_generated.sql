SELECT o.id, g.x FROM shop.orders o LEFT JOIN shop.generated g ON g.order_id = o.id AND g.same = 1 AND g.x = 2
-- key shop.orders(id)
-- o: key id
-- g: column order_id if same = 1 AND x = 2
