SELECT o.id, t.name FROM shop.web_order o LEFT JOIN shop.turkish t ON lower(t.email) = o.email
-- problem 1:53 no way leads
