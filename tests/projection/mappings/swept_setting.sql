SELECT o.id, (SELECT value FROM shop.setting WHERE name = 'a') AS x FROM shop.orders o
-- sweep_tables shop.setting
-- key shop.orders(id)
-- o: key id
-- setting: sweep 
