SELECT o.id, g.x FROM shop.orders o JOIN shop.generated g ON g.same = o.id AND g.order_id = o.id
-- key shop.orders(id)
-- o: key id
-- g: column order_id
