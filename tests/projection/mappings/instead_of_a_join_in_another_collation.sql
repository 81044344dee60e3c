SELECT o.id, t.name FROM shop.web_order o LEFT JOIN shop.turkish t ON t.email = o.email
-- key shop.web_order(id)
-- t: reverse email via shop.web_order
-- o: key id
