-- The two are joined to each other, and nothing joins them to the orders.
SELECT o.id, s.value, v.name FROM shop.orders o LEFT JOIN (shop.setting s JOIN shop.vendor v ON v.name = s.value) ON s.name = 'x'
-- key shop.orders(id)
-- o: key id
-- s: sweep 
-- v: sweep 
