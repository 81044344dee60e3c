SELECT o.id, m.name FROM shop.web_order o LEFT JOIN shop.member m ON m.email = nullif(o.email, '')
-- key shop.web_order(id)
-- m: reverse email via shop.web_order
-- o: key id
