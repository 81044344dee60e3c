-- Over a column of the row that has the maximum.
SELECT o.id, m.name
FROM shop.web_order o
JOIN (SELECT n.email, max(n.id) AS id FROM shop.member_note n GROUP BY n.email) l ON l.email = o.email
JOIN shop.member_note k ON k.id = l.id
JOIN shop.member m ON m.ref = 'sale.line,' || k.id
-- key shop.web_order(id)
-- k: reverse id via shop.member_note, shop.web_order
-- m: reverse ref via shop.member_note, shop.member_note, shop.web_order
-- n: reverse email via shop.web_order
-- o: key id
