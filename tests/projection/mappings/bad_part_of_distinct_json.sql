SELECT o.id, d.name FROM shop.web_order o
JOIN (SELECT m.meta, m.name FROM shop.member m UNION SELECT v.meta, v.ref FROM shop.member v) d ON d.meta ->> 'id' = o.number_text
-- problem 2:34 no way leads from a changed row of shop.member
