SELECT o.id, (SELECT value FROM shop.setting WHERE name = 'x') AS x FROM shop.orders o
-- key shop.orders(id)
-- o: key id
-- setting: sweep 
