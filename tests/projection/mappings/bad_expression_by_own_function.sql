SELECT o.id, m.name FROM shop.web_order o LEFT JOIN shop.member m ON shop.folded(m.email) = o.email
-- problem 1:53 no way leads
