SELECT o.id, m.name FROM shop.web_order o LEFT JOIN shop.member m ON lower(m.email) = lower(o.email)
-- key shop.web_order(id)
-- o: key id
-- m: reverse email via shop.web_order
