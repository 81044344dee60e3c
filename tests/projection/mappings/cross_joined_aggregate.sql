SELECT o.id, t.n FROM shop.orders o CROSS JOIN (SELECT count(*) AS n FROM shop.note) t
-- key shop.orders(id)
-- note: sweep 
-- o: key id
