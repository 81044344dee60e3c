SELECT o.id, m.name FROM shop.web_order o LEFT JOIN shop.member m ON coalesce(m.ref, 'a') = coalesce(o.ref, 'a')
-- key shop.web_order(id)
-- m: reverse ref via shop.web_order
-- o: key id
