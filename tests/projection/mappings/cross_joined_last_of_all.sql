SELECT o.id, n.body FROM shop.orders o CROSS JOIN (SELECT body FROM shop.note ORDER BY body LIMIT 1) n
-- key shop.orders(id)
-- note: sweep 
-- o: key id
