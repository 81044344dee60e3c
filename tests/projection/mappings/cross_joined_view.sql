SELECT o.id, s.value FROM shop.orders o, shop.settings s WHERE s.name = 'x'
-- key shop.orders(id)
-- o: key id
-- setting: sweep 
