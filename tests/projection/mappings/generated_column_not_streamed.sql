SELECT o.id, g.x FROM shop.orders o JOIN shop.generated g ON g.same = o.id
-- sweep_tables shop.generated
-- key shop.orders(id)
-- o: key id
-- g: sweep 
