SELECT o.id, m.name FROM shop.web_order o LEFT JOIN shop.member m ON m.email || o.email = o.ref
-- problem 1:53 no way leads
